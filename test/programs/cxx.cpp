// An interpreter for a little stock-keeping language, in the C++ that applications are written in: virtual calls,
// exceptions through several frames with destructors on the way, the standard containers, iostream, std::function.
// usage: cxx SCRIPT ROUNDS
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

struct Failure : std::runtime_error {
  int line;
  Failure(int line, const std::string &what) : std::runtime_error(what), line(line) {}
};

struct Overflow : Failure {
  using Failure::Failure;
};

// Counts scopes that were left, by return or by exception: unwinding that skips a destructor shows in the output.
int depth = 0, deepest = 0, unwound = 0;
struct Scope {
  Scope() { deepest = std::max(deepest, ++depth); }
  ~Scope() {
    --depth;
    if (std::uncaught_exceptions() > 0) ++unwound;
  }
};

struct Context {
  std::map<std::string, std::int64_t> variables;
  int line = 0;
};

class Node {
 public:
  virtual ~Node() = default;
  virtual std::int64_t value(Context &context) const = 0;
  virtual int weight() const { return 1; }
};
using NodePtr = std::unique_ptr<Node>;

class Number final : public Node {
  std::int64_t number;

 public:
  explicit Number(std::int64_t number) : number(number) {}
  std::int64_t value(Context &) const override { return number; }
};

class Variable final : public Node {
  std::string name;

 public:
  explicit Variable(std::string name) : name(std::move(name)) {}
  std::int64_t value(Context &context) const override {
    auto found = context.variables.find(name);
    if (found == context.variables.end()) throw Failure(context.line, "unknown item " + name);
    return found->second;
  }
};

class Binary : public Node {
 protected:
  NodePtr left, right;

 public:
  Binary(NodePtr left, NodePtr right) : left(std::move(left)), right(std::move(right)) {}
  std::int64_t value(Context &context) const override {
    Scope scope;
    std::int64_t a = left->value(context);
    return apply(context, a, right->value(context));
  }
  int weight() const override { return 1 + left->weight() + right->weight(); }
  virtual std::int64_t apply(Context &context, std::int64_t a, std::int64_t b) const = 0;
};

class Sum final : public Binary {
 public:
  using Binary::Binary;
  std::int64_t apply(Context &, std::int64_t a, std::int64_t b) const override { return a + b; }
};

class Difference final : public Binary {
 public:
  using Binary::Binary;
  std::int64_t apply(Context &, std::int64_t a, std::int64_t b) const override { return a - b; }
};

class Product final : public Binary {
 public:
  using Binary::Binary;
  std::int64_t apply(Context &context, std::int64_t a, std::int64_t b) const override {
    std::int64_t result;
    if (__builtin_mul_overflow(a, b, &result) || result > 1000000000 || result < -1000000000)
      throw Overflow(context.line, "too much");
    return result;
  }
};

class Quotient final : public Binary {
 public:
  using Binary::Binary;
  std::int64_t apply(Context &context, std::int64_t a, std::int64_t b) const override {
    if (b == 0) throw Failure(context.line, "divided by nothing");
    return a / b;
  }
};

class Parser {
  const std::string &text;
  std::size_t at = 0;
  int line;

  char peek() {
    while (at < text.size() && text[at] == ' ') ++at;
    return at < text.size() ? text[at] : '\0';
  }
  NodePtr factor() {
    Scope scope;
    char c = peek();
    if (c == '(') {
      ++at;
      NodePtr inner = sum();
      if (peek() != ')') throw Failure(line, "no closing bracket");
      ++at;
      return inner;
    }
    if (std::isdigit(static_cast<unsigned char>(c))) {
      std::int64_t number = 0;
      while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) number = number * 10 + (text[at++] - '0');
      return std::make_unique<Number>(number);
    }
    if (std::isalpha(static_cast<unsigned char>(c))) {
      std::size_t start = at;
      while (at < text.size() && std::isalnum(static_cast<unsigned char>(text[at]))) ++at;
      return std::make_unique<Variable>(text.substr(start, at - start));
    }
    throw Failure(line, std::string("stray '") + (c ? c : '$') + "'");
  }
  NodePtr product() {
    NodePtr left = factor();
    for (;;) {
      char c = peek();
      if (c == '*') {
        ++at;
        left = std::make_unique<Product>(std::move(left), factor());
      } else if (c == '/') {
        ++at;
        left = std::make_unique<Quotient>(std::move(left), factor());
      } else {
        return left;
      }
    }
  }

 public:
  Parser(const std::string &text, int line) : text(text), line(line) {}
  NodePtr sum() {
    NodePtr left = product();
    for (;;) {
      char c = peek();
      if (c == '+') {
        ++at;
        left = std::make_unique<Sum>(std::move(left), product());
      } else if (c == '-') {
        ++at;
        left = std::make_unique<Difference>(std::move(left), product());
      } else {
        return left;
      }
    }
  }
  NodePtr all() {
    NodePtr tree = sum();
    if (peek() != '\0') throw Failure(line, "left over: " + text.substr(at));
    return tree;
  }
};

struct Statement {
  std::string target;
  NodePtr tree;
  int line;
};

}  // namespace

int main(int argc, char **argv) try {
  if (argc != 3) throw std::invalid_argument("usage: cxx SCRIPT ROUNDS");
  std::ifstream script(argv[1]);
  if (!script) throw std::invalid_argument(std::string("cannot read ") + argv[1]);
  int rounds = std::stoi(argv[2]);

  std::vector<Statement> statements;
  std::unordered_map<std::string, int> mentions;
  std::string text;
  for (int line = 1; std::getline(script, text); ++line) {
    std::istringstream words(text);
    std::string target, sign;
    words >> target >> sign;
    ++mentions[target];
    try {
      if (sign != "=") throw Failure(line, "no '='");
      std::string rest;
      std::getline(words, rest);
      Parser parser(rest, line);
      statements.push_back({target, parser.all(), line});
    } catch (const Failure &failure) {
      std::cout << "line " << failure.line << ": " << failure.what() << '\n';
    }
  }

  Context context;
  std::map<std::string, int> failures;
  std::vector<std::int64_t> results;
  std::set<std::int64_t> distinct;
  const std::vector<std::function<std::int64_t(std::int64_t)>> reductions = {
      [](std::int64_t v) { return v % 1009; },
      [rounds](std::int64_t v) { return v ^ rounds; },
      [&results](std::int64_t v) { return v + static_cast<std::int64_t>(results.size() & 7); },
  };
  for (int round = 0; round < rounds; ++round) {
    context.variables["round"] = round;
    for (const Statement &statement : statements) {
      context.line = statement.line;
      try {
        std::int64_t value = statement.tree->value(context);
        value = reductions[(round + statement.line) % reductions.size()](value);
        context.variables[statement.target] = value;
        results.push_back(value);
        distinct.insert(value);
      } catch (const Overflow &overflow) {
        ++failures[overflow.what()];
        context.variables[statement.target] = overflow.line;
      } catch (const Failure &failure) {
        ++failures[failure.what()];
      }
    }
    if (results.size() > 4096) results.erase(results.begin(), results.begin() + 2048);
  }
  std::sort(results.begin(), results.end(), [](std::int64_t a, std::int64_t b) {
    return a % 97 != b % 97 ? a % 97 < b % 97 : a < b;
  });
  for (const auto &[what, count] : failures) std::cout << std::setw(8) << count << "  " << what << '\n';
  std::vector<std::pair<std::string, int>> order(mentions.begin(), mentions.end());
  std::sort(order.begin(), order.end(),
            [](const auto &a, const auto &b) { return a.second != b.second ? a.second > b.second : a.first < b.first; });
  for (std::size_t i = 0; i < order.size() && i < 5; ++i)
    std::cout << order[i].first << " x" << order[i].second << " = " << context.variables[order[i].first] << '\n';
  int weight = std::accumulate(statements.begin(), statements.end(), 0,
                               [](int sum, const Statement &s) { return sum + s.tree->weight(); });
  double mean = results.empty() ? 0 : std::accumulate(results.begin(), results.end(), 0.0) / static_cast<double>(results.size());
  std::cout << "mean " << std::fixed << std::setprecision(4) << mean << ", distinct " << distinct.size() << ", weight "
            << weight << ", deepest " << deepest << ", unwound " << unwound << ", depth " << depth << '\n';
  return depth;
} catch (const std::exception &problem) {
  std::cerr << problem.what() << '\n';
  return 2;
}
