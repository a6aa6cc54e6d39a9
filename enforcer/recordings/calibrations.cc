// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recordings/calibrations.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <asio/post.hpp>
#include <map>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/json/json.h"
#include "lib/linux/child_process.h"
#include "lib/oci/seccomp.h"
#include "profiles/runtime_calls.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMaxRuntimeBytes = 256U << 20U;

std::string key_of(const std::string& sha256, bool no_new_privileges) {
  return sha256 + (no_new_privileges ? "+nnp" : "");
}

// A row of the table.
struct Kept {
  std::string name;
  MeasuredRuntime measured;
  // When the binary was last found in the place of another: of two, the later one is there now.
  std::int64_t came_wall_ns = 0;
  bool says_version = false;  // not in a row of an older wardd: measured again, for its sake
};

std::string body_of(const Kept& kept) {
  const MeasuredRuntime& measured = kept.measured;
  return nlohmann::json{{"create", measured.create},
                        {"exec", measured.exec},
                        {"name", kept.name},
                        {"version", measured.version}}
      .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// What is damaged is not there, and so is measured again.
std::optional<Kept> parse_kept(const std::string& key, const std::string& title,
                               std::string_view body) {
  const auto json = parse_json<nlohmann::json>(body);
  try {
    Kept kept;
    const std::size_t plus = key.find('+');
    kept.measured.sha256 = key.substr(0, plus);
    kept.measured.no_new_privileges = plus != std::string::npos;
    kept.measured.create = json.at("create").get<std::set<int>>();
    kept.measured.exec = json.at("exec").get<std::set<int>>();
    kept.says_version = json.contains("version");
    kept.measured.version = json.value("version", "");
    kept.name = json.value("name", title.substr(0, title.find(' ')));
    return kept;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

std::string name_of(const Kept& kept) {
  return kept.name + (kept.measured.version.empty() ? "" : " " + kept.measured.version);
}

std::string title_of(const Kept& kept) {
  const MeasuredRuntime& measured = kept.measured;
  return name_of(kept) + " sha256:" + measured.sha256.substr(0, 12) +
         (measured.no_new_privileges ? " noNewPrivileges" : "") + " " +
         std::to_string(measured.create.size()) + " calls at start, " +
         std::to_string(measured.exec.size()) + " at exec";
}

void add_calls(std::set<int>& calls, const MeasuredRuntime& measured) {
  calls.insert(measured.create.begin(), measured.create.end());
  calls.insert(measured.exec.begin(), measured.exec.end());
}

// Of `calls`, what `others` lacks, and a version could be the reason for.
std::set<int> beyond(const std::set<int>& calls, const std::set<int>& others) {
  std::set<int> out;
  for (const int nr : calls) {
    const auto name = oci::find_syscall_name(nr);
    if (!others.contains(nr) && !(name && profiles::is_of_scheduler(*name))) out.insert(nr);
  }
  return out;
}

// Changes whenever somebody installs another binary there, without reading it.
std::string stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "";
  return path + "|" + std::to_string(status.st_ino) + "|" + std::to_string(status.st_size) + "|" +
         std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

Result<std::string> runtime_path(const std::string& asked) {
  if (!asked.empty()) return asked;
  auto found = find_program("runc");
  if (found) return found;
  // A daemon's PATH often lacks the places of root's programs.
  for (const char* path : {"/usr/local/sbin/runc", "/usr/sbin/runc", "/usr/bin/runc"}) {
    if (::access(path, X_OK) == 0) return std::string(path);
  }
  return found;
}

}  // namespace

struct Calibrations::State : std::enable_shared_from_this<State> {
  State(asio::io_context& loop, Writer& database_writer, Measure how)
      : core(loop),
        writer(database_writer),
        measure(std::move(how)),
        stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void load(const std::filesystem::path& database) {
    auto connection = Connection::open(database, Access::kReadOnly);
    if (!connection) return;
    auto statement =
        connection->prepare("SELECT key, title, wall_ns, observation FROM calibrations");
    if (!statement) return;
    for (auto row = statement->step(); row && *row; row = statement->step()) {
      const std::string key = statement->text(0);
      auto kept = parse_kept(key, statement->text(1), statement->text(3));
      if (!kept) continue;
      kept->came_wall_ns = statement->integer(2);
      known[key] = std::move(*kept);
    }
  }

  void keep(const std::string& name, const MeasuredRuntime& measured) {
    Kept& kept = known[key_of(measured.sha256, measured.no_new_privileges)];
    kept.name = name;
    // One measurement more of the same: calls of a scheduler come and go.
    std::set<int> create = std::move(kept.measured.create), exec = std::move(kept.measured.exec);
    kept.measured = measured;
    kept.measured.create.merge(create);
    kept.measured.exec.merge(exec);
    kept.says_version = true;
    kept.came_wall_ns = std::max(kept.came_wall_ns, wall_ns());
    store(kept);
  }

  void store(const Kept& kept) {
    writer.submit(
        [key = key_of(kept.measured.sha256, kept.measured.no_new_privileges),
         title = title_of(kept), body = body_of(kept),
         came = kept.came_wall_ns](Connection& connection) -> Result<void> {
          auto statement = connection.prepare(
              "INSERT OR REPLACE INTO calibrations (key, wall_ns, title, observation) VALUES (?, "
              "?, ?, ?)");
          if (!statement) return tl::unexpected<Error>(statement.error());
          return statement->bind(key).bind(came).bind(title).bind_blob(body).run();
        },
        nullptr);
  }

  // The rows of one binary: at most two.
  [[nodiscard]] std::vector<const Kept*> rows_of(const std::string& sha256) const {
    std::vector<const Kept*> out;
    for (const auto& [key, kept] : known) {
      if (kept.measured.sha256 == sha256) out.push_back(&kept);
    }
    return out;
  }

  // Of the other binaries, the one that came last; nothing where there was none.
  [[nodiscard]] const Kept* latest_other() const {
    const Kept* latest = nullptr;
    for (const auto& [key, kept] : known) {
      if (kept.measured.sha256 == in_use) continue;
      if (latest == nullptr || latest->came_wall_ns < kept.came_wall_ns) latest = &kept;
    }
    return latest;
  }

  // A binary that was known and has come back is the later one again, whatever the clock says.
  void came_into_use() {
    const Kept* const other = latest_other();
    if (other == nullptr) return;
    for (auto& [key, kept] : known) {
      if (kept.measured.sha256 != in_use || kept.came_wall_ns > other->came_wall_ns) continue;
      kept.came_wall_ns = std::max(wall_ns(), other->came_wall_ns + 1);
      store(kept);
    }
  }

  // On the thread: everything that takes time.
  void work(const std::string& path, const std::set<std::string>& have) {
    std::vector<Result<MeasuredRuntime>> results;
    auto bytes = read_file(path, kMaxRuntimeBytes);
    if (!bytes) {
      results.push_back(tl::unexpected<Error>(bytes.error()));
    } else {
      const std::string sha256 = sha256_hex(*bytes);
      bytes->clear();
      bytes->shrink_to_fit();
      current = sha256;
      for (const bool no_new_privileges : {true, false}) {
        if (have.contains(key_of(sha256, no_new_privileges))) continue;
        auto measured = measure(path, no_new_privileges, stop.get());
        if (measured) {
          measured->sha256 = sha256;
          measured->no_new_privileges = no_new_privileges;
        }
        results.push_back(std::move(measured));
        if (!results.back() && results.back().error().code == Code::kCanceled)
          return;  // nobody wants to know
      }
    }
    asio::post(core,
               [weak = weak_from_this(), path, results = std::move(results), sha256 = current] {
                 auto self = weak.lock();
                 if (!self) return;
                 self->problem.clear();
                 self->in_use = sha256;
                 for (const auto& result : results) {
                   if (result) {
                     self->keep(std::filesystem::path(path).filename().string(), *result);
                   } else {
                     self->problem = "calibration of " + path + ": " + result.error().message;
                     log::warn("runtime not calibrated",
                               {{"runtime", path}, {"error", result.error().message}});
                   }
                 }
                 self->came_into_use();
                 self->busy = false;
               });
  }

  asio::io_context& core;
  Writer& writer;
  Measure measure;
  UniqueFd stop;                      // readable: the thread gives up
  std::map<std::string, Kept> known;  // by key
  std::string in_use;                 // sha256 of the binary last looked at
  std::string current;                // the thread's
  std::string stamp;
  std::string problem;
  bool busy = false;
  std::thread thread;
};

Calibrations::Calibrations(asio::io_context& core, Writer& writer, std::filesystem::path database,
                           Measure measure)
    : state_(std::make_shared<State>(core, writer, std::move(measure))) {
  state_->load(database);
}

Calibrations::~Calibrations() {
  ::eventfd_write(state_->stop.get(), 1);
  if (state_->thread.joinable()) state_->thread.join();
}

void Calibrations::check(const std::string& runtime) {
  if (state_->busy) return;
  const auto path = runtime_path(runtime);
  if (!path) {
    state_->problem = "calibration: " + path.error().message;
    return;
  }
  const std::string stamp = stamp_of(*path);
  if (!stamp.empty() && stamp == state_->stamp) return;
  state_->stamp = stamp;
  state_->busy = true;
  if (state_->thread.joinable()) state_->thread.join();  // it has posted its result: it is over
  std::set<std::string> have;
  for (const auto& [key, kept] : state_->known) {
    if (kept.says_version) have.insert(key);
  }
  state_->thread = std::thread(
      [state = state_, path = *path, have = std::move(have)] { state->work(path, have); });
}

std::optional<RuntimeInUse> Calibrations::in_use() const {
  const auto rows = state_->rows_of(state_->in_use);
  if (rows.empty()) return std::nullopt;
  RuntimeInUse out{
      rows.front()->name, rows.front()->measured.version, state_->in_use, {}, "", {}, {}};
  for (const Kept* kept : rows) add_calls(out.calls, kept->measured);
  const Kept* const other = state_->latest_other();
  if (other == nullptr) return out;
  // With noNewPrivileges a runtime calls less: only what was measured alike is compared.
  std::set<int> now, before;
  for (const Kept* kept : rows) {
    const auto alike =
        state_->known.find(key_of(other->measured.sha256, kept->measured.no_new_privileges));
    if (alike == state_->known.end()) continue;
    add_calls(now, kept->measured);
    add_calls(before, alike->second.measured);
  }
  if (before.empty()) return out;
  out.since = name_of(*other);
  out.gained = beyond(now, before);
  out.lost = beyond(before, now);
  return out;
}

std::vector<std::string> Calibrations::titles() const {
  std::vector<std::string> out;
  for (const auto& [key, kept] : state_->known) {
    if (state_->in_use.empty() || kept.measured.sha256 == state_->in_use)
      out.push_back(title_of(kept));
  }
  return out;
}

std::vector<std::string> Calibrations::problems() const {
  return state_->problem.empty() ? std::vector<std::string>{}
                                 : std::vector<std::string>{state_->problem};
}

}  // namespace ward::enforcer
