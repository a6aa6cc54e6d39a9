// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recordings/calibrations.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/linux/child_process.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMaxRuntimeBytes = 256U << 20U;

std::string key_of(const std::string& sha256, bool no_new_privileges) {
  return sha256 + (no_new_privileges ? "+nnp" : "");
}

std::string body_of(const MeasuredRuntime& measured) {
  return nlohmann::json{{"create", measured.create}, {"exec", measured.exec}}.dump();
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
    auto statement = connection->prepare("SELECT key, title FROM calibrations");
    if (!statement) return;
    for (auto row = statement->step(); row && *row; row = statement->step())
      known[statement->text(0)] = statement->text(1);
  }

  void keep(const std::string& name, const MeasuredRuntime& measured) {
    const std::string key = key_of(measured.sha256, measured.no_new_privileges);
    const std::string title = name + " sha256:" + measured.sha256.substr(0, 12) +
                              (measured.no_new_privileges ? " noNewPrivileges" : "") + " " +
                              std::to_string(measured.create.size()) + " calls at start, " +
                              std::to_string(measured.exec.size()) + " at exec";
    known[key] = title;
    writer.submit(
        [key, title, body = body_of(measured),
         now = wall_ns()](Connection& connection) -> Result<void> {
          auto statement = connection.prepare(
              "INSERT OR REPLACE INTO calibrations (key, wall_ns, title, observation) VALUES (?, "
              "?, ?, ?)");
          if (!statement) return tl::unexpected<Error>(statement.error());
          return statement->bind(key).bind(now).bind(title).bind_blob(body).run();
        },
        nullptr);
  }

  // On the thread: everything that takes time.
  void work(const std::string& path, const std::map<std::string, std::string>& have) {
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
        if (have.count(key_of(sha256, no_new_privileges)) != 0) continue;
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
                 self->busy = false;
               });
  }

  asio::io_context& core;
  Writer& writer;
  Measure measure;
  UniqueFd stop;                             // readable: the thread gives up
  std::map<std::string, std::string> known;  // key to title
  std::string in_use;                        // sha256 of the binary last looked at
  std::string current;                       // the thread's
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
  state_->thread = std::thread(
      [state = state_, path = *path, have = state_->known] { state->work(path, have); });
}

std::vector<std::string> Calibrations::titles() const {
  std::vector<std::string> out;
  for (const auto& [key, title] : state_->known) {
    if (state_->in_use.empty() || key.rfind(state_->in_use, 0) == 0) out.push_back(title);
  }
  return out;
}

std::vector<std::string> Calibrations::problems() const {
  return state_->problem.empty() ? std::vector<std::string>{}
                                 : std::vector<std::string>{state_->problem};
}

}  // namespace ward::enforcer
