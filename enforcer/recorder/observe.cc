// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/observe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lib/base/utf8.h"
#include "lib/oci/capabilities.h"
#include "lib/oci/seccomp.h"

namespace ward::recorder {
namespace {

// A copy of a run's tables: the shared one, then each CPU's.
using Tables = std::vector<union ward_table>;

Result<Tables> read_tables(const KernelSide& kernel, std::uint32_t slot) {
  // The outer map answers with an id; the inner one has no other name.
  std::uint32_t id = 0;
  if (bpf_map_lookup_elem(kernel.tables.get(), &slot, &id) != 0)
    return fail_errno("find the run's tables");
  const UniqueFd inner(bpf_map_get_fd_by_id(id));
  if (!inner) return fail_errno("open the run's tables");
  Tables tables(tables_per_run());
  // The shared table first: whatever it says was seen has been counted by then.
  for (std::uint32_t number = 0; number < tables_per_run(); ++number)
    if (bpf_map_lookup_elem(inner.get(), &number, &tables[number]) != 0)
      return fail_errno("read the run's tables");
  return tables;
}

struct Seen {
  std::uint64_t count = 0;
  std::uint64_t last_ns = 0;
};

Seen sum_over_cpus(const Tables& tables, std::uint32_t cell) {
  Seen seen;
  for (std::size_t number = WARD_FIRST_CPU_TABLE; number < tables.size(); ++number) {
    const ward_count& one = tables[number].cpu.counts[cell];
    seen.count += one.count;
    seen.last_ns = std::max<std::uint64_t>(seen.last_ns, one.last_ns);
  }
  return seen;
}

profiles::ArgumentValues values_of(const ward_values& kept) {
  profiles::ArgumentValues values;
  values.overflowed = kept.overflowed != 0;
  for (const std::uint64_t stored : kept.stored)
    if (stored != 0) values.values.insert(stored ^ WARD_VALUE_KEY);
  return values;
}

std::map<std::uint32_t, profiles::ArgumentValues> arguments_of(const ward_shared& shared,
                                                               std::uint32_t list, int nr) {
  std::map<std::uint32_t, profiles::ArgumentValues> arguments;
  const auto sets = watched_sets();
  for (std::size_t set = 0; set < sets.size(); ++set) {
    if (sets[set].first != nr) continue;
    arguments[sets[set].second] = values_of(shared.values[list][set]);
  }
  return arguments;
}

profiles::ArgumentTuples tuples_of(const ward_shared& shared, std::uint32_t list) {
  static_assert(profiles::kTupleBits == std::array<std::uint32_t, 3>{16, 24, 24},
                "as WARD_TUPLE packs them");
  constexpr std::uint64_t kLow = (1U << 24U) - 1;
  const ward_values& kept = shared.tuples[list];
  profiles::ArgumentTuples tuples;
  tuples.overflowed = kept.overflowed != 0;
  for (const std::uint64_t stored : kept.stored) {
    const std::uint64_t packed = stored ^ WARD_VALUE_KEY;
    if (stored != 0) tuples.values.insert({packed >> 48U, (packed >> 24U) & kLow, packed & kLow});
  }
  return tuples;
}

void add_syscalls(const Tables& tables, int bank, std::int64_t start_ns, profiles::Run& run) {
  const bool runtime = bank == WARD_BANK_RUNTIME_WORKLOAD || bank == WARD_BANK_RUNTIME_EXEC;
  const bool refused = bank == WARD_BANK_REFUSED_WORKLOAD || bank == WARD_BANK_REFUSED_EXEC;
  const bool exec =
      bank == WARD_BANK_EXEC || bank == WARD_BANK_RUNTIME_EXEC || bank == WARD_BANK_REFUSED_EXEC;
  const std::uint32_t list = (exec ? 1U : 0U) + (refused ? unsigned{WARD_REFUSED_VALUES} : 0U);
  auto& calls = runtime ? run.runtime : refused ? run.refused : run.syscalls;
  const ward_shared& shared = tables[WARD_SHARED_TABLE].shared;
  const int tuple_call = oci::find_syscall(profiles::kTupleCall).value_or(-1);
  for (int nr = 0; nr < WARD_NRS; ++nr) {
    const auto cell = static_cast<std::uint32_t>(bank * WARD_NRS + nr);
    const ward_mark& mark = shared.marks[cell];
    if (mark.first_ns == 0) continue;
    const Seen seen = sum_over_cpus(tables, cell);
    profiles::ObservedSyscall syscall;
    syscall.nr = nr;
    syscall.origin = exec ? profiles::Origin::kExec : profiles::Origin::kWorkload;
    syscall.count = seen.count;
    syscall.first_seen_ns = static_cast<std::int64_t>(mark.first_ns) - start_ns;
    syscall.last_seen_ns =
        static_cast<std::int64_t>(std::max<std::uint64_t>(mark.first_ns, seen.last_ns)) - start_ns;
    if (!runtime) syscall.arguments = arguments_of(shared, list, nr);
    if (!runtime && nr == tuple_call) syscall.together = tuples_of(shared, list);
    calls.push_back(std::move(syscall));
    if (bank == WARD_BANK_WORKLOAD) {
      // The programs write the cell's mark before that of the window: between the two a cell may be
      // one ahead.
      run.fine.seen_in[nr] = std::min(mark.fine_seen, run.fine.windows);
      run.coarse.seen_in[nr] = std::min(mark.coarse_seen, run.coarse.windows);
    }
  }
}

void add_capabilities(const Tables& tables, profiles::Run& run) {
  const ward_shared& shared = tables[WARD_SHARED_TABLE].shared;
  for (std::uint32_t exec = 0; exec < 2; ++exec) {
    for (std::uint32_t number = 0; number < WARD_CAPS; ++number) {
      const std::uint32_t cell = WARD_FIRST_CAP + exec * WARD_CAPS + number;
      if (shared.marks[cell].first_ns == 0) continue;
      const Seen seen = sum_over_cpus(tables, cell);
      const auto name = oci::find_capability_name(static_cast<int>(number));
      run.capabilities.push_back({name.value_or("CAP_" + std::to_string(number)),
                                  exec != 0 ? profiles::Origin::kExec : profiles::Origin::kWorkload,
                                  seen.count});
    }
  }
}

void add_programs(const ward_shared& shared, bool overflowed, profiles::Run& run) {
  for (const ward_program& program : shared.programs) {
    const std::string_view field(program.name, WARD_PROGRAM_BYTES);
    const std::string_view name = field.substr(0, field.find('\0'));
    if (program.key == 0 || name.empty()) continue;
    run.programs.push_back(to_utf8(name));
    if (program.foreign != 0) run.foreign_programs.push_back(run.programs.back());
  }
  std::sort(run.programs.begin(), run.programs.end());
  std::sort(run.foreign_programs.begin(), run.foreign_programs.end());
  if (overflowed) run.programs.emplace_back("(and more)");
}

profiles::SeenSignal signal_of(const ward_signal& kind, std::int64_t start_ns) {
  using profiles::Receiver, profiles::Sender;
  profiles::SeenSignal signal;
  signal.number = static_cast<int>(kind.key & 0xffU);
  const std::uint64_t to = (kind.key >> 8U) & 0xffU, from = kind.key >> 16U;
  signal.to = to == WARD_TO_FIRST  ? Receiver::kFirst
              : to == WARD_TO_EXEC ? Receiver::kExec
                                   : Receiver::kOther;
  signal.from = from == WARD_FROM_OUTSIDE    ? Sender::kOutside
                : from == WARD_FROM_WORKLOAD ? Sender::kWorkload
                : from == WARD_FROM_EXEC     ? Sender::kExec
                                             : Sender::kKernel;
  signal.delivered = kind.delivered;
  signal.ignored = kind.ignored;
  if (kind.last_ns != 0) signal.last_ns = static_cast<std::int64_t>(kind.last_ns) - start_ns;
  return signal;
}

profiles::Life life_of(const ward_run& header, const ward_shared& shared, std::int64_t start_ns) {
  profiles::Life life;
  for (const ward_signal& kind : shared.signals)
    if (kind.key != 0) life.signals.push_back(signal_of(kind, start_ns));
  std::sort(life.signals.begin(), life.signals.end());
  life.overflowed = header.signals_overflowed != 0;
  life.exec_sessions = static_cast<std::uint32_t>(header.exec_sessions);
  for (int number = 1; number <= profiles::kSignals; ++number)
    if (((header.handled >> (number - 1)) & 1U) != 0) life.handled.insert(number);
  if (header.exit_ns != 0) {
    life.end = {static_cast<int>(header.exit_status),
                static_cast<std::int64_t>(header.exit_ns) - start_ns};
  }
  return life;
}

}  // namespace

Result<profiles::Run> observe(const KernelSide& kernel, std::uint32_t slot) {
  auto header = read_run(kernel, slot);
  if (!header) return tl::unexpected(header.error());
  auto tables = read_tables(kernel, slot);
  if (!tables) return tl::unexpected(tables.error());

  profiles::Run run;
  run.id = header->id;
  run.started_wall_ns = header->begun_wall_ns;
  run.start_seen = header->joined == 0;
  run.lost_events = header->lost + (missed_events(kernel) - header->misses_at_begin);
  run.foreign_calls = header->foreign;
  const ward_shared& shared = (*tables)[WARD_SHARED_TABLE].shared;
  const ward_mark& any = shared.marks[WARD_ANY_CALL];
  run.fine = {profiles::kFineWindow_ns, any.fine_seen, {}};
  run.coarse = {profiles::kCoarseWindow_ns, any.coarse_seen, {}};
  const auto start_ns =
      static_cast<std::int64_t>(header->program_ns != 0 ? header->program_ns : header->begun_ns);
  for (int bank = 0; bank < WARD_BANKS; ++bank) add_syscalls(*tables, bank, start_ns, run);
  add_capabilities(*tables, run);
  add_programs(shared, header->programs_overflowed != 0, run);
  run.unknown_calls = values_of(shared.unknown);
  run.life = life_of(*header, shared, start_ns);
  return run;
}

}  // namespace ward::recorder
