// SPDX-License-Identifier: Apache-2.0
#include "shim/task/sandbox.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>

extern "C" {
// Made by the linker: the file's first byte in memory, and the end of the code.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker chose them
extern const char __executable_start;
extern const char etext;
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
}

namespace ward::shim::task {
namespace {

constexpr std::chrono::seconds kQuietBeforeTrim{2};

// Making a container or a session needs more heap and touches more code than waiting for its end.
// Code pages are clean and come back from the page cache when they are called.
void give_memory_back() {
  ::malloc_trim(0);
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(&__executable_start) & ~(page - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(&etext) & ~(page - 1);
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace

Sandbox::Sandbox(Surroundings surroundings)
    : surroundings_(std::move(surroundings)), quiet_(surroundings_.loop) {}

void Sandbox::trim_when_quiet() {
  quiet_.expires_after(kQuietBeforeTrim);
  quiet_.async_wait([](const asio::error_code& error) {
    if (!error) give_memory_back();
  });
}

void Sandbox::create(ContainerSpec spec, Container::PidDone done) {
  const std::string id = spec.id;
  if (closed_) return done(fail(Code::kUnavailable, "the shim is shutting down"));
  if (containers_.count(id) != 0)
    return done(fail(Code::kAlreadyExists, "container " + id + " exists already"));
  auto container = std::make_shared<Container>(surroundings_, std::move(spec));
  containers_.emplace(id, container);
  container->create([this, id, done = std::move(done)](Result<pid_t> pid) {
    was_used_ = was_used_ || pid;
    if (!pid) containers_.erase(id);
    done(std::move(pid));
    trim_when_quiet();
  });
}

Result<std::shared_ptr<Container>> Sandbox::find(const std::string& id) const {
  const auto found = containers_.find(id);
  if (found == containers_.end() || !found->second->is_created())
    return fail(Code::kNotFound, "container not created");
  return found->second;
}

void Sandbox::remove(const std::string& id, const std::string& exec_id,
                     std::function<void(Result<Departed>)> done) {
  auto container = find(id);
  if (!container) return done(tl::unexpected(container.error()));
  const bool whole = exec_id.empty();
  auto removed = [this, id, whole, done = std::move(done),
                  of = std::weak_ptr<Container>(*container)](Result<Departed> departed) {
    // The id may have a new owner by now.
    const auto kept = containers_.find(id);
    if (departed && whole && kept != containers_.end() && kept->second == of.lock())
      containers_.erase(kept);
    done(std::move(departed));
    // A probe that execs must not leave a pod's shim four times as large until its next container.
    if (!whole) trim_when_quiet();
  };
  (*container)->remove(exec_id, std::move(removed));
}

}  // namespace ward::shim::task
