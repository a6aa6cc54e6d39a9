// SPDX-License-Identifier: Apache-2.0
// wardd: makes the parts of one node, ties them together, and ends them in order. All of it lives
// on the core loop.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enforcer/api/server.h"
#include "enforcer/config.h"
#include "enforcer/database/writer.h"
#include "enforcer/evidence/evidence_directory.h"
#include "enforcer/evidence/sealing.h"
#include "enforcer/journal/journal.h"
#include "enforcer/journal/lost_violations.h"
#include "enforcer/journal/spool_replay.h"
#include "enforcer/metrics/endpoint.h"
#include "enforcer/node_claim.h"
#include "enforcer/node_link/container_table.h"
#include "enforcer/node_link/node_service.h"
#include "enforcer/node_link/shim_links.h"
#include "enforcer/node_link/widening.h"
#include "enforcer/overlay/amendments.h"
#include "enforcer/recorder/recorder.h"
#include "enforcer/recordings/calibrations.h"
#include "enforcer/recordings/recordings.h"
#include "enforcer/sampling.h"
#include "enforcer/seen_processes.h"
#include "enforcer/socket_file.h"
#include "enforcer/store/profile_store.h"
#include "enforcer/store/watch.h"
#include "enforcer/storm/storm_guard.h"
#include "lib/base/clock.h"
#include "lib/base/places.h"

namespace ward::enforcer::sinks {
class Sinks;
}

namespace ward::enforcer {

// One moment on both clocks: the first is for people, and may be set while wardd runs.
struct Moment {
  std::int64_t wall_ns = ward::wall_ns();
  std::int64_t monotonic_ns = ward::monotonic_ns();
};

struct Node {
  // `claim_is_lost`, once: another wardd has claimed one of our directories, and this one must
  // stop.
  Node(asio::io_context& loop, Places where, NodeClaim claimed,
       std::function<void(const Error&)> claim_is_lost, Moment started = {});
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  Result<void> serve();
  void read_again();          // what SIGHUP asks for
  void read_configuration();  // wardd.yaml, then profiles and policies; what is bad stays out
  [[nodiscard]] std::vector<std::string> problems() const;
  [[nodiscard]] std::map<std::string, std::uint64_t> expired_events() const;  // by reason
  [[nodiscard]] MetricsSnapshot metrics_snapshot() const;
  [[nodiscard]] std::uint64_t dropped()
      const;  // violations without a record, also those not journalled yet
  [[nodiscard]] bool shims_are_back() const;  // all that live have told of their containers
  // Tells shims of the versions that are in force: how many containers were told now.
  std::size_t widen_running();
  void stop(std::function<void()> done);

  asio::io_context& core;
  const Places places;
  const Moment started_at;
  Config config;
  std::vector<std::string> config_problems;
  Writer writer;
  Journal journal;
  SpoolReplay spools;
  LostViolations lost;
  EvidenceDirectory evidence;
  EvidenceSealing sealing;
  ContainerTable containers;
  ShimLinks shims;
  SeenProcesses seen;
  Widening widening;
  std::unique_ptr<recorder::Recorder> recorder;
  std::unique_ptr<RunRecorder> run_recorder;
  Recordings recordings;
  Calibrations calibrations;
  ProfileStore store;
  StormGuards storms;
  Sampling sampling;
  Amendments amendments;
  std::unique_ptr<sinks::Sinks> sinks;
  std::unique_ptr<Watch> watch;
  std::unique_ptr<Watch> spool_watch;
  std::optional<NodeService> node_service;
  std::optional<ApiServer> api;
  std::unique_ptr<MetricsEndpoint> metrics;
  std::string metrics_problem;

 private:
  void reload();
  void take_what_shims_left();
  void shim_gone(const KnownShim& shim);
  void container_changed(const ContainerEntry* before, const ContainerEntry* after);
  [[nodiscard]] std::optional<std::vector<HeldContainer>> quarantined_containers() const;
  [[nodiscard]] bool claims_run(const std::string& run_id) const;
  void tend_evidence();
  void keep_claim();
  void keep_sockets();
  void every_moment();
  void every_few_seconds();
  void every_few_minutes();
  void serve_metrics();
  void refuse_configuration(const Error& why);

  NodeClaim claim_;
  std::function<void(const Error&)> claim_is_lost_;
  std::string claim_problem_;
  std::string socket_problem_;
  std::string evidence_problem_;
  SocketFile node_socket_{places.node_socket()};
  SocketFile api_socket_{places.api_socket()};
  std::string config_text_;  // of the last attempt
  bool config_read_ = false;
  bool config_awaits_ = false;    // it refers to what is not there (yet)
  bool config_accepted_ = false;  // ever: until then nobody knows what should be kept
  asio::steady_timer moments_;
  asio::steady_timer seconds_;
  asio::steady_timer minutes_;
};

}  // namespace ward::enforcer
