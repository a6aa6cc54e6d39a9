// SPDX-License-Identifier: Apache-2.0
// Empty in a build without WARD_FAULTS.
#include "lib/base/fault.h"

#ifdef WARD_FAULTS
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <map>

#include "lib/base/file.h"
#include "lib/base/unique_fd.h"

namespace ward::fault {
namespace {

struct Rule {
  std::string action;    // error, delay or kill
  std::string argument;  // what stands in parentheses
  int times = -1;        // -1: always
};

int to_number(std::string_view text, int otherwise) {
  int number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int to_errno(const std::string& name) {
  static const std::map<std::string, int> kNames{
      {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EMFILE", EMFILE}, {"ENOMEM", ENOMEM}, {"EBUSY", EBUSY}};
  const auto found = kNames.find(name);
  return found != kNames.end() ? found->second : to_number(name, EIO);
}

Rule parse_rule(std::string_view text) {
  Rule rule;
  if (const auto star = text.rfind('*'); star != std::string_view::npos) {
    rule.times = to_number(text.substr(star + 1), 1);
    text = text.substr(0, star);
  }
  const auto open = text.find('(');
  rule.action = text.substr(0, open);
  if (open != std::string_view::npos)
    rule.argument = text.substr(open + 1, text.find(')') - open - 1);
  return rule;
}

Rule find_rule(std::string_view rules, const std::string& name) {
  while (!rules.empty()) {
    const auto end = std::min(rules.find_first_of(";\n"), rules.size());
    const auto rule = rules.substr(0, end);
    rules.remove_prefix(std::min(end + 1, rules.size()));
    const auto equals = rule.find('=');
    if (equals != std::string_view::npos && rule.substr(0, equals) == name)
      return parse_rule(rule.substr(equals + 1));
  }
  return {};
}

void wait_ms(int milliseconds) { ::poll(nullptr, 0, milliseconds); }

// The default of SIGALRM ends a process as suddenly as SIGKILL does, and the kernel keeps the time.
void die_later(int milliseconds) {
  itimerval timer{};
  timer.it_value.tv_sec = milliseconds / 1000;
  timer.it_value.tv_usec = static_cast<suseconds_t>(milliseconds % 1000) * 1000;
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

// So that a test knows that it has tried something.
void note(const std::string& path, const std::string& name) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string line = name + "\n";
  if (file) (void)!::write(file.get(), line.data(), line.size());
}

}  // namespace

Result<void> point(const std::string& name) {
  const char* variable = ::getenv("WARD_FAULTS");
  if (variable == nullptr || *variable == '\0') return {};
  const std::string rules = *variable == '@' ? read_file(variable + 1).value_or("") : variable;
  const Rule rule = find_rule(rules, name);
  if (rule.action.empty()) return {};
  static std::map<std::string, int> times;  // one thread has points: the loop's
  if (rule.times >= 0 && times[name]++ >= rule.times) return {};
  if (*variable == '@') note(std::string(variable + 1) + ".fired", name);
  if (rule.action == "delay") {
    wait_ms(to_number(rule.argument, 100));
  } else if (rule.action == "kill") {
    const int milliseconds = to_number(rule.argument, 0);
    if (milliseconds > 0) {
      die_later(milliseconds);
    } else {
      ::kill(::getpid(), SIGKILL);
      for (;;) ::pause();
    }
  } else if (rule.action == "error") {
    return fail_errno("fault at " + name, to_errno(rule.argument));
  }
  return {};
}

}  // namespace ward::fault
#endif
