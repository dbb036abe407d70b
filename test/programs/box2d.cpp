// Two scenes of rigid bodies: box2d SCENE STEPS. Prints where everything is at the end.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "box2d/box2d.h"

namespace {

// Boxes poured into a drum that a motor turns.
struct Tumbler {
  explicit Tumbler(b2World& world) : world_(world) {
    b2BodyDef fixed;
    b2Body* ground = world.CreateBody(&fixed);
    b2BodyDef turning;
    turning.type = b2_dynamicBody;
    turning.allowSleep = false;
    turning.position.Set(0.0f, 10.0f);
    b2Body* drum = world.CreateBody(&turning);
    const float walls[4][4] = {{0.5f, 6.0f, 6.0f, 0.0f}, {0.5f, 6.0f, -6.0f, 0.0f}, {6.0f, 0.5f, 0.0f, 6.0f}, {6.0f, 0.5f, 0.0f, -6.0f}};
    for (const auto& wall : walls) {
      b2PolygonShape shape;
      shape.SetAsBox(wall[0], wall[1], b2Vec2(wall[2], wall[3]), 0.0f);
      drum->CreateFixture(&shape, 5.0f);
    }
    b2RevoluteJointDef motor;
    motor.bodyA = ground;
    motor.bodyB = drum;
    motor.localAnchorA.Set(0.0f, 10.0f);
    motor.motorSpeed = 0.4f;
    motor.maxMotorTorque = 1e8f;
    motor.enableMotor = true;
    world.CreateJoint(&motor);
  }

  void step(int n) {
    b2BodyDef falling;
    falling.type = b2_dynamicBody;
    falling.position.Set((n % 7 - 3) * 0.6f, 10.0f);
    b2PolygonShape shape;
    shape.SetAsBox(0.25f, 0.25f + (n % 3) * 0.1f);
    world_.CreateBody(&falling)->CreateFixture(&shape, 1.0f);
  }

  b2World& world_;
};

// A pyramid that comes to rest, with balls on a chain swung into it.
struct Pyramid {
  explicit Pyramid(b2World& world) {
    b2BodyDef fixed;
    b2Body* ground = world.CreateBody(&fixed);
    b2EdgeShape edge;
    edge.SetTwoSided(b2Vec2(-40.0f, 0.0f), b2Vec2(40.0f, 0.0f));
    ground->CreateFixture(&edge, 0.0f);
    for (int row = 0; row < 10; row++)
      for (int column = row; column < 10; column++) {
        b2BodyDef resting;
        resting.type = b2_dynamicBody;
        resting.position.Set((column - row * 0.5f - 5.0f) * 1.125f, 0.6f + row * 1.05f);
        b2PolygonShape box;
        box.SetAsBox(0.5f, 0.5f);
        world.CreateBody(&resting)->CreateFixture(&box, 5.0f);
      }
    b2Body* before = ground;
    for (int link = 0; link < 12; link++) {
      b2BodyDef hanging;
      hanging.type = b2_dynamicBody;
      hanging.bullet = link == 11;
      hanging.position.Set(-14.0f + link * 0.7f, 14.0f);
      b2Body* body = world.CreateBody(&hanging);
      b2CircleShape ball;
      ball.m_radius = link == 11 ? 1.2f : 0.2f;
      body->CreateFixture(&ball, 8.0f);
      b2DistanceJointDef rope;
      rope.Initialize(before, body, before == ground ? b2Vec2(-14.7f, 14.0f) : before->GetPosition(), body->GetPosition());
      world.CreateJoint(&rope);
      before = body;
    }
  }

  void step(int) {}
};

template <typename Scene>
int run(int steps) {
  b2World world(b2Vec2(0.0f, -10.0f));
  Scene scene(world);
  for (int n = 0; n < steps; n++) {
    scene.step(n);
    world.Step(1.0f / 60.0f, 8, 3);
  }
  for (b2Body* body = world.GetBodyList(); body; body = body->GetNext())
    std::printf("%.5f %.5f %.5f\n", body->GetPosition().x, body->GetPosition().y, body->GetAngle());
  std::printf("%d bodies, %d contacts\n", world.GetBodyCount(), world.GetContactCount());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "tumbler") == 0) return run<Tumbler>(std::atoi(argv[2]));
  if (argc == 3 && std::strcmp(argv[1], "pyramid") == 0) return run<Pyramid>(std::atoi(argv[2]));
  std::fprintf(stderr, "usage: box2d tumbler|pyramid STEPS\n");
  return 2;
}
