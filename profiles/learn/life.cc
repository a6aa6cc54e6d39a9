// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/life.h"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <map>

namespace ward::profiles {
namespace {

constexpr std::array kAskToStop = {SIGINT, SIGQUIT, SIGPWR, SIGTERM};
// What people and other programs send to a service; a handler for a fault, a timer or a child is
// nobody's to try.
constexpr std::array kSentToServices = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,
                                        SIGUSR2, SIGTERM, SIGWINCH};

template <std::size_t N>
bool holds(const std::array<int, N>& numbers, int number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

// A terminal's keys and its hang-up come from the kernel.
bool is_sent(const SeenSignal& signal) {
  if (signal.delivered == 0) return false;
  if (signal.from == Sender::kKernel)
    return signal.number == SIGINT || signal.number == SIGQUIT || signal.number == SIGHUP;
  return signal.from == Sender::kOutside || signal.from == Sender::kExec;
}

const SeenSignal* find_last_sent(const Life& life) {
  const SeenSignal* last = nullptr;
  for (const SeenSignal& signal : life.signals) {
    const bool before =
        signal.to == Receiver::kFirst && is_sent(signal) && signal.last_ns <= life.end->at_ns;
    if (before && (last == nullptr || last->last_ns < signal.last_ns)) last = &signal;
  }
  return last;
}

std::string exit_of(const Run& run) {
  const int status = run.life->end->wait_status;
  return "exit " +
         std::to_string(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

class Counts {
 public:
  void add(const std::string& what, std::uint64_t times = 1) {
    if (times > 0) times_[what] += static_cast<std::uint32_t>(times);
  }
  [[nodiscard]] bool contains(const std::string& what) const { return times_.count(what) != 0; }
  [[nodiscard]] std::vector<LifeEvent> events() const {
    std::vector<LifeEvent> all;
    for (const char* first : {"start", "exec"}) {
      if (contains(first)) all.push_back({first, times_.at(first)});
    }
    for (const auto& [what, times] : times_) {
      if (what != "start" && what != "exec") all.push_back({what, times});
    }
    return all;
  }

 private:
  std::map<std::string, std::uint32_t> times_;
};

void add_run(Counts& counts, const Run& run) {
  if (!run.syscalls.empty() && run.start_seen) counts.add("start");
  const Life& life = *run.life;
  counts.add("exec", life.exec_sessions);
  const auto stop = stop_of(run);
  std::map<int, std::uint64_t> sent;
  for (const SeenSignal& signal : life.signals) {
    if (is_sent(signal) && signal.to == Receiver::kFirst) sent[signal.number] += signal.delivered;
  }
  for (const auto& [number, times] : sent) {
    const std::string name = signal_name(number);
    counts.add("signal " + name,
               stop && stop->by == name ? times - 1 : times);  // the last is told as the stop
  }
  if (!stop) return;
  counts.add(stop->by.empty() ? "stop by itself" : "stop by " + stop->by);
  counts.add(exit_of(run));
}

// Delivered to the first process by whomever: its handler has run.
std::set<int> delivered_to_first(const std::vector<Run>& runs) {
  std::set<int> numbers;
  for (const Run& run : runs) {
    if (!run.life) continue;
    for (const SeenSignal& signal : run.life->signals) {
      if (signal.to == Receiver::kFirst && signal.delivered > 0) numbers.insert(signal.number);
    }
  }
  return numbers;
}

}  // namespace

std::string signal_name(int number) {
  if (number >= SIGRTMIN && number <= SIGRTMAX) {
    return number == SIGRTMIN ? "RTMIN" : "RTMIN+" + std::to_string(number - SIGRTMIN);
  }
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? name : std::to_string(number);
}

std::optional<Stop> stop_of(const Run& run) {
  if (!run.life || !run.life->end) return std::nullopt;
  const ProcessEnd& end = *run.life->end;
  Stop stop;
  int last = 0;
  if (const SeenSignal* const signal = find_last_sent(*run.life); signal != nullptr) {
    last = signal->number;
    stop.last = signal_name(last);
    stop.after_ns = end.at_ns - signal->last_ns;
  }
  if (WIFSIGNALED(end.wait_status)) {
    stop.by = signal_name(WTERMSIG(end.wait_status));
  } else if (holds(kAskToStop, last) || stop.after_ns <= kStopWithin_ns) {
    stop.by = stop.last;
  }
  return stop;
}

std::string describe(const Stop& stop) {
  std::string by = stop.by.empty() ? "by itself" : "by " + stop.by;
  if (stop.last.empty()) return by;
  constexpr std::int64_t kMillisecond_ns = 1'000'000, kSecond_ns = 1'000'000'000;
  const bool long_ago = stop.after_ns >= 10 * kSecond_ns;
  return by + ", " + std::to_string(stop.after_ns / (long_ago ? kSecond_ns : kMillisecond_ns)) +
         (long_ago ? " s after " : " ms after ") + (stop.last == stop.by ? "it" : stop.last);
}

LifeReport life_report(const std::vector<Run>& runs) {
  LifeReport report;
  Counts counts;
  std::set<int> handled;
  for (const Run& run : runs) {
    if (!run.life) {
      ++report.runs_without;
      continue;
    }
    add_run(counts, run);
    handled.insert(run.life->handled.begin(), run.life->handled.end());
  }
  report.seen = counts.events();
  if (report.runs_without == runs.size() && !runs.empty())
    return report;  // then nothing is known either way
  for (const char* always : {"start", "exec", "stop by TERM"}) {
    if (!counts.contains(always)) report.missing.push_back({always, 0});
  }
  const std::set<int> delivered = delivered_to_first(runs);
  for (const int number : kSentToServices) {
    if (number == SIGTERM || handled.count(number) == 0 || delivered.count(number) != 0) continue;
    report.missing.push_back({"signal " + signal_name(number), 0});
  }
  return report;
}

std::string describe(const std::vector<LifeEvent>& events) {
  std::string out;
  for (const LifeEvent& event : events) {
    out += (out.empty() ? "" : ", ") + event.what;
    if (event.times > 0)
      out += " (" + std::to_string(event.times) + (event.times == 1 ? " time)" : " times)");
  }
  return out;
}

std::string_view receiver_name(Receiver receiver) {
  switch (receiver) {
    case Receiver::kFirst: return "first";
    case Receiver::kOther: return "other";
    case Receiver::kExec: return "exec";
  }
  return "?";
}

std::string_view sender_name(Sender sender) {
  switch (sender) {
    case Sender::kOutside: return "outside";
    case Sender::kWorkload: return "workload";
    case Sender::kExec: return "exec";
    case Sender::kKernel: return "kernel";
  }
  return "?";
}

}  // namespace ward::profiles
