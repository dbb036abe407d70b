/*
 * Bodies under each other's gravity, integrated with the leapfrog scheme; input: number of bodies, steps, step size, then
 * mass, position and velocity of each. Double-precision arithmetic with fused multiply-adds, square roots and divisions.
 */
#include "runtime.h"

enum { MOST = 16 };

struct body {
  double mass, x, y, z, vx, vy, vz;
};

static struct body bodies[MOST];

static double square_root(double value) { return __builtin_sqrt(value); }

static double energy(const struct body *body, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++) {
    const struct body *a = &body[i];
    sum += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
    for (int j = i + 1; j < count; j++) {
      const struct body *b = &body[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      sum -= a->mass * b->mass / square_root(dx * dx + dy * dy + dz * dz);
    }
  }
  return sum;
}

static void advance(struct body *body, int count, double step) {
  for (int i = 0; i < count; i++) {
    struct body *a = &body[i];
    for (int j = i + 1; j < count; j++) {
      struct body *b = &body[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double squared = dx * dx + dy * dy + dz * dz;
      double pull = step / (squared * square_root(squared));
      a->vx -= dx * b->mass * pull;
      a->vy -= dy * b->mass * pull;
      a->vz -= dz * b->mass * pull;
      b->vx += dx * a->mass * pull;
      b->vy += dy * a->mass * pull;
      b->vz += dz * a->mass * pull;
    }
  }
  for (int i = 0; i < count; i++) {
    body[i].x += step * body[i].vx;
    body[i].y += step * body[i].vy;
    body[i].z += step * body[i].vz;
  }
}

/* The first body is moved so that the whole stands still. */
static void stand_still(struct body *body, int count) {
  double px = 0, py = 0, pz = 0;
  for (int i = 0; i < count; i++) {
    px += body[i].vx * body[i].mass;
    py += body[i].vy * body[i].mass;
    pz += body[i].vz * body[i].mass;
  }
  body[0].vx -= px / body[0].mass;
  body[0].vy -= py / body[0].mass;
  body[0].vz -= pz / body[0].mass;
}

int main(void) {
  int count = (int)get_integer(), steps = (int)get_integer();
  double step = get_real();
  if (count < 1 || count > MOST) return 1;
  for (int i = 0; i < count; i++) {
    struct body *b = &bodies[i];
    b->mass = get_real();
    b->x = get_real();
    b->y = get_real();
    b->z = get_real();
    b->vx = get_real();
    b->vy = get_real();
    b->vz = get_real();
  }
  stand_still(bodies, count);
  for (int part = 0; part <= 4; part++) {
    put_text("energy ");
    put_real(energy(bodies, count) * 1000, 9);
    put_byte('\n');
    if (part < 4)
      for (int i = 0; i < steps / 4; i++) advance(bodies, count, step);
  }
  for (int i = 0; i < count; i++) {
    put_real(bodies[i].x, 6);
    put_byte(' ');
    put_real(bodies[i].y, 6);
    put_byte(' ');
    put_real(bodies[i].z, 6);
    put_byte('\n');
  }
  return 0;
}
