// Every way an exception can meet a frame: caught by type, by base, by everything; passed on; destructors on the way; nested;
// a function that lets none out; a list of types that may pass; a foreign frame of the library in between.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#define NOINLINE __attribute__((noinline))

struct Scope {
  const char *name;
  explicit Scope(const char *name) : name(name) { std::printf("+%s\n", name); }
  ~Scope() { std::printf("-%s\n", name); }
};
struct Plain {
  int value;
};
struct Derived : std::runtime_error {
  using std::runtime_error::runtime_error;
};

NOINLINE int leaf(int k) {
  if (k == 1) throw Plain{42};
  if (k == 2) throw Derived("two");
  if (k == 3) throw 3;
  if (k == 4) throw std::string("four");
  return k;
}
NOINLINE int middle(int k) {
  Scope scope("middle");
  std::string text(50, 'x');
  int result = leaf(k) + static_cast<int>(text.size());
  std::printf("middle done\n");
  return result;
}
NOINLINE int passes(int k) { return leaf(k) + 1; }
NOINLINE int catcher(int k) {
  Scope outer("outer");
  try {
    Scope inner("inner");
    return middle(k) + passes(k);
  } catch (const Plain &e) {
    std::printf("Plain %d\n", e.value);
    return -1;
  } catch (const std::exception &e) {
    std::printf("exception %s\n", e.what());
    throw;
  } catch (int i) {
    std::printf("int %d\n", i);
    try {
      middle(1);
    } catch (...) {
      std::printf("anything\n");
    }
    return i;
  }
}
NOINLINE int silent(int k) noexcept { return leaf(k) + middle(0); }

// C++14: a list of types that may pass; another one becomes what the handler throws.
NOINLINE int only(int k) throw(int, Plain) { return leaf(k) + 1; }
NOINLINE int nothing(int k) throw() {
  Scope scope("nothing");
  return leaf(k) + 1;
}

struct Base {
  virtual int run(int k) { return catcher(k); }
  virtual ~Base() = default;
};
struct Other : Base {
  int run(int k) override {
    Scope scope("other");
    return catcher(k) * 2;
  }
};

int main(int argc, char **) {
  Base *object = argc > 5 ? new Base : new Other;
  for (int k = 0; k < 6; k++) {
    try {
      std::printf("=%d\n", object->run(k));
    } catch (std::runtime_error &e) {
      std::printf("main: %s\n", e.what());
    } catch (std::string &s) {
      std::printf("main: %s\n", s.c_str());
    }
  }
  delete object;
  std::vector<int> numbers{3, 1, 2};
  try {
    numbers.at(7);
  } catch (std::out_of_range &e) {
    std::printf("%s\n", e.what());
  }
  try {
    std::stoi("abc");
  } catch (std::invalid_argument &e) {
    std::printf("%s\n", e.what());
  }
  std::function<bool(int, int)> compare = [](int a, int b) { return leaf(a == 1 ? 2 : 0) < b; };
  try {
    std::sort(numbers.begin(), numbers.end(), compare);
  } catch (Derived &e) {
    std::printf("sort: %s\n", e.what());
  }
  std::set_unexpected([] {
    std::printf("unexpected\n");
    throw 7;
  });
  for (int k = 0; k < 5; k++) {
    try {
      std::printf("only %d\n", only(k) + nothing(0));
    } catch (int i) {
      std::printf("only: int %d\n", i);
    } catch (const Plain &e) {
      std::printf("only: Plain %d\n", e.value);
    }
  }
  std::fflush(stdout);
  return argc > 1 ? silent(1) : 0;
}
