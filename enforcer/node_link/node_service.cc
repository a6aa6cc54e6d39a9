// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_link/node_service.h"

#include <asio/post.hpp>
#include <deque>

#include "lib/base/log.h"
#include "lib/linux/descriptors.h"
#include "lib/ttrpc/server.h"

namespace ward::enforcer {
namespace {

constexpr int kMaxContainersPerShim = 4096;
constexpr std::size_t kAskedAtOnce = 16;
constexpr std::string_view kService = "ward.node.v1.Node";

Result<void> check(const node::v1::ContainerStatus& status) {
  if (status.identity().container_id().empty() ||
      status.identity().containerd_namespace().empty()) {
    return fail(Code::kInvalidArgument, "identity needs containerd_namespace and container_id");
  }
  return {};
}

// A request handler takes the message and returns the answer, or an error.
template <typename Message, typename F>
void add(ttrpc::Server& server, const char* method, F handler) {
  server.add(
      std::string(kService), method,
      [handler, method](ttrpc::Request request, ttrpc::Responder responder) {
        Message message;
        if (!message.ParseFromString(request.payload)) {
          responder.error({Code::kInvalidArgument,
                           std::string(method) + ": the payload of " +
                               std::to_string(request.payload.size()) + " bytes is no " +
                               message.GetTypeName() + "; are wardd and the shim of one version?",
                           0});
          return;
        }
        handler(message, std::move(responder));
      });
}

}  // namespace

struct NodeService::State : std::enable_shared_from_this<State> {
  State(asio::io_context& loop, UniqueFd socket, ContainerTable& table, ShimLinks& links,
        Journal& events, Writer& database, RecordingCalls calls)
      : core(loop),
        server(loop, std::move(socket)),
        containers(table),
        shims(links),
        journal(events),
        writer(database),
        recordings(std::move(calls)) {}

  Result<void> know(const KnownShim& shim) {
    auto fresh = shims.watch(shim);
    if (!fresh) return tl::unexpected<Error>(fresh.error());
    if (*fresh) {
      writer.submit(
          [shim](Connection& connection) -> Result<void> {
            auto statement =
                connection.prepare("INSERT OR REPLACE INTO shims (address, pid) VALUES (?, ?)");
            if (!statement) return tl::unexpected<Error>(statement.error());
            return statement->bind(shim.address).bind(static_cast<std::int64_t>(shim.pid)).run();
          },
          nullptr);
    }
    return {};
  }

  Result<void> register_shim(const node::v1::RegisterRequest& request) {
    if (request.containers_size() > kMaxContainersPerShim)
      return fail(Code::kInvalidArgument, "too many containers");
    for (const auto& status : request.containers()) {
      if (auto valid = check(status); !valid) return valid;
    }
    if (auto known = know({request.shim_pid(), request.shim_address()}); !known) return known;
    containers.replace_shim(request.shim_pid(), request.shim_address(),
                            {request.containers().begin(), request.containers().end()});
    return {};
  }

  Result<void> update(const node::v1::UpdateContainerRequest& request) {
    if (auto valid = check(request.container()); !valid) return valid;
    if (request.container().state() != node::v1::CONTAINER_STATE_GONE) {
      if (auto known = know({request.shim_pid(), request.shim_address()}); !known) return known;
    }
    containers.update(request.shim_pid(), request.shim_address(), request.container());
    return {};
  }

  void report(const node::v1::ReportRequest& request, ttrpc::Responder responder) {
    std::vector<JournalEntry> entries;
    node::v1::ReportResponse response;
    for (const auto& violation : request.violations()) {
      entries.push_back({kind_of(violation), violation});
      response.add_accepted_event_ids(violation.event_id());
    }
    auto pending = std::make_shared<ttrpc::Responder>(std::move(responder));
    journal.append(std::move(entries), [pending, response](Result<void> result) {
      if (!result) {
        // Whatever the database said: to a shim it means "keep it and come again".
        pending->error({Code::kUnavailable, result.error().message, 0});
        return;
      }
      pending->reply(response);
    });
  }

  void forget_in_database(const std::string& address) {
    writer.submit(
        [address](Connection& connection) -> Result<void> {
          auto statement = connection.prepare("DELETE FROM shims WHERE address = ?");
          if (!statement) return tl::unexpected<Error>(statement.error());
          return statement->bind(address).run();
        },
        nullptr);
  }

  // A few at a time: each that is asked is a connection.
  void ask_more() {
    while (!to_ask.empty() && asked < kAskedAtOnce) {
      const KnownShim shim = std::move(to_ask.front());
      to_ask.pop_front();
      ask(shim);
    }
  }

  void ask(const KnownShim& shim) {
    if (auto watched = shims.watch(shim); !watched) {
      // One for which there is no descriptor now is still a shim; it comes by itself.
      if (watched.error().code != Code::kResourceExhausted) forget_in_database(shim.address);
      return;
    }
    ++asked;
    shims.call(shim.address, "ListContainers",
               node::v1::ListContainersRequest().SerializeAsString(),
               [weak = weak_from_this(), shim](Result<std::string> answer) {
                 auto self = weak.lock();
                 if (!self) return;
                 --self->asked;
                 asio::post(self->core, [weak] {
                   if (const auto still = weak.lock()) still->ask_more();
                 });
                 node::v1::RegisterRequest described;
                 if (!answer || !described.ParseFromString(*answer)) {
                   // Perhaps another process by now; a shim that lives registers by itself.
                   self->shims.forget(shim.address);
                   self->forget_in_database(shim.address);
                   return;
                 }
                 described.set_shim_pid(shim.pid);
                 described.set_shim_address(shim.address);
                 if (auto done = self->register_shim(described); !done) {
                   log::warn("shim not adopted",
                             {{"address", shim.address}, {"error", done.error().message}});
                 }
               });
  }

  asio::io_context& core;
  ttrpc::Server server;
  std::deque<KnownShim> to_ask;
  std::size_t asked = 0;
  ContainerTable& containers;
  ShimLinks& shims;
  Journal& journal;
  Writer& writer;
  RecordingCalls recordings;
};

NodeService::NodeService(asio::io_context& core, UniqueFd listening_socket,
                         ContainerTable& containers, ShimLinks& shims, Journal& journal,
                         Writer& writer, RecordingCalls recordings)
    : state_(std::make_shared<State>(core, std::move(listening_socket), containers, shims, journal,
                                     writer, std::move(recordings))) {
  State* state = state_.get();
  add<node::v1::RegisterRequest>(state->server, "Register",
                                 [state](const auto& request, ttrpc::Responder responder) {
                                   if (auto done = state->register_shim(request); !done)
                                     return responder.error(done.error());
                                   node::v1::RegisterResponse response;
                                   response.set_node_version(WARD_VERSION);
                                   responder.reply(response);
                                 });
  add<node::v1::UpdateContainerRequest>(state->server, "UpdateContainer",
                                        [state](const auto& request, ttrpc::Responder responder) {
                                          if (auto done = state->update(request); !done)
                                            return responder.error(done.error());
                                          responder.reply(node::v1::Ack());
                                        });
  add<node::v1::ReportRequest>(state->server, "Report",
                               [state](const auto& request, ttrpc::Responder responder) {
                                 state->report(request, std::move(responder));
                               });
  add<node::v1::BeginRecordingRequest>(state->server, "BeginRecording",
                                       [state](const auto& request, ttrpc::Responder responder) {
                                         const auto begun = state->recordings.begin(request);
                                         node::v1::BeginRecordingResponse response;
                                         response.set_recording(begun.has_value());
                                         if (!begun) response.set_why_not(begun.error().message);
                                         responder.reply(response);
                                       });
  add<node::v1::EndRecordingRequest>(state->server, "EndRecording",
                                     [state](const auto& request, ttrpc::Responder responder) {
                                       if (auto done = state->recordings.end(request); !done) {
                                         return responder.error(done.error());
                                       }
                                       responder.reply(node::v1::Ack());
                                     });
}

NodeService::~NodeService() = default;

void NodeService::start() {
  state_->server.keep_reserve();
  state_->server.start();
}

std::optional<std::string> NodeService::problem() const {
  const auto shortage = state_->server.shortage();
  const bool few = descriptors_run_short();
  if (!shortage && !few) return std::nullopt;
  const std::string all = std::to_string(descriptor_limit());
  return "wardd is at its limit of " + all +
         " file descriptors (RLIMIT_NOFILE), of which it keeps the last " +
         std::to_string(descriptor_reserve()) + " from shims: connections of shims were refused " +
         std::to_string(shortage ? shortage->refused : 0) +
         " times, and what those shims run is not listed (it stays enforced, its events are "
         "spooled); a shim needs"
         " two: raise the limit (LimitNOFILE= of the unit, prlimit --nofile)";
}

void NodeService::ask_known_shims(const std::filesystem::path& database) {
  auto connection = Connection::open(database, Access::kReadOnly);
  if (!connection) return;
  auto statement = connection->prepare("SELECT pid, address FROM shims");
  if (!statement) return;
  for (auto row = statement->step(); row && *row; row = statement->step()) {
    state_->to_ask.push_back({static_cast<pid_t>(statement->integer(0)), statement->text(1)});
  }
  state_->ask_more();
}

void NodeService::listen_on(UniqueFd listening_socket) {
  state_->server.listen_on(std::move(listening_socket));
}

void NodeService::stop(std::function<void()> done) { state_->server.stop(std::move(done)); }

}  // namespace ward::enforcer
