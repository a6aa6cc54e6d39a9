// SPDX-License-Identifier: Apache-2.0
#include "shim/links/node_link.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <asio/error_code.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <string_view>
#include <utility>

#include "lib/base/log.h"
#include "lib/spool/tally.h"
#include "lib/ttrpc/client.h"
#include "shim/links/violation_outbox.h"

namespace ward::shim::links {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kService = "ward.node.v1.Node";
constexpr milliseconds kRegisterTimeout(5000);
constexpr milliseconds kCallTimeout(5000);
constexpr milliseconds kReportTimeout(2000);
constexpr milliseconds kFirstRetry(20);  // between bind() and listen() of a wardd that is starting
constexpr milliseconds kLongestRetry(10'000);
// While wardd's socket is absent. A wardd that knows us calls (look_now), so this is for one that
// does not. It is not inotify that tells: an instance for each shim is more than
// fs.inotify.max_user_instances (128) gives a node.
constexpr milliseconds kFirstLook(1000);
constexpr milliseconds kLongestLook(10'000);
constexpr milliseconds kLongestIdleLook(30'000);  // nothing waits to be told
constexpr std::size_t kMaxEndedRecordings = 256;

bool is_away(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kCanceled ||
         code == Code::kResourceExhausted;
}

// Another wardd makes another socket.
struct SocketIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t changed_ns = 0;
  [[nodiscard]] bool exists() const { return inode != 0; }
  bool operator==(const SocketIdentity&) const = default;
};

SocketIdentity identify(const std::filesystem::path& socket) {
  struct stat status {};
  if (::stat(socket.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino,
          status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

template <typename Message>
Result<Message> parse(const Result<std::string>& answer) {
  if (!answer) return tl::unexpected<Error>(answer.error());
  Message message;
  if (!message.ParseFromString(*answer))
    return fail(Code::kInternal, "wardd's answer cannot be read");
  return message;
}

}  // namespace

struct NodeLink::State final : std::enable_shared_from_this<NodeLink::State>,
                               ViolationOutbox::Carrier {
  enum class Phase { kAway, kRegistering, kUp, kStopped };

  State(asio::io_context& io, NodeLinkConfig with)
      : loop(io),
        config(std::move(with)),
        client(io, config.places.node_socket().string()),
        retry(io),
        outbox(io, {config.places.spool(), tallies_below(config.places.run), config.unique_name},
               *this) {}

  void look_now();
  void look_if_new() override;
  [[nodiscard]] bool something_waits() const {
    return outbox.in_memory() > 0 || outbox.spooled() || !ended.empty();
  }
  void connect();
  void registered(const Result<std::string>& answer);
  void leave(const Error& why);
  void connect_later(milliseconds delay);
  void report(const node::v1::ReportRequest& request, ViolationOutbox::Answer answer) override;
  void send_update();
  void send_ended_recording();
  // Calls back only while this link is alive and not stopped.
  void call(std::string_view method, std::string payload, milliseconds timeout,
            std::function<void(State&, const Result<std::string>&)> answered);

  asio::io_context& loop;
  NodeLinkConfig config;
  ttrpc::Client client;
  asio::steady_timer retry;
  Phase phase = Phase::kAway;
  milliseconds backoff = kFirstRetry;
  milliseconds next_look = kFirstLook;
  SocketIdentity tried;  // the last one that did not answer
  bool said_away = false;
  std::deque<std::string> update_order;  // keys of `updates`
  std::map<std::string, node::v1::ContainerStatus> updates;
  bool update_in_flight = false;
  std::deque<node::v1::EndRecordingRequest> ended;
  bool ended_in_flight = false;
  ViolationOutbox outbox;
};

void NodeLink::State::call(std::string_view method, std::string payload, milliseconds timeout,
                           std::function<void(State&, const Result<std::string>&)> answered) {
  client.call(
      kService, method, std::move(payload), timeout,
      [weak = weak_from_this(), answered = std::move(answered)](const Result<std::string>& answer) {
        const auto self = weak.lock();
        if (self && self->phase != Phase::kStopped) answered(*self, answer);
      });
}

void NodeLink::State::look_now() {
  backoff = kFirstRetry;
  next_look = kFirstLook;
  if (phase == Phase::kAway) connect();
}

// Something is to be told. A socket that was not tried yet is of a wardd that has just started.
void NodeLink::State::look_if_new() {
  if (phase != Phase::kAway) return;
  const SocketIdentity found = identify(config.places.node_socket());
  if (found.exists() && !(found == tried)) look_now();
}

void NodeLink::State::connect() {
  retry.cancel();
  tried = identify(config.places.node_socket());
  if (!tried.exists()) {
    connect_later(next_look);
    next_look = std::min(next_look * 2, something_waits() ? kLongestLook : kLongestIdleLook);
    return;
  }
  phase = Phase::kRegistering;
  outbox.peer_is(ViolationOutbox::Peer::kComing);
  updates.clear();  // the registration says it all
  update_order.clear();
  node::v1::RegisterRequest request;
  request.set_shim_pid(::getpid());
  request.set_shim_address(config.shim_address);
  request.set_shim_version(WARD_VERSION);
  for (node::v1::ContainerStatus& container : config.containers())
    *request.add_containers() = std::move(container);
  call("Register", request.SerializeAsString(), kRegisterTimeout,
       [](State& self, const Result<std::string>& answer) { self.registered(answer); });
}

void NodeLink::State::registered(const Result<std::string>& answer) {
  if (phase != Phase::kRegistering) return;
  if (!answer) return leave(answer.error());
  if (said_away) log::info("wardd is back");
  said_away = false;
  phase = Phase::kUp;
  backoff = kFirstRetry;
  next_look = kFirstLook;
  outbox.peer_is(ViolationOutbox::Peer::kThere);
  send_ended_recording();
  send_update();
}

void NodeLink::State::leave(const Error& why) {
  if (phase != Phase::kRegistering && phase != Phase::kUp) return;
  if (!said_away)
    log::warn("wardd is away; enforcement goes on, violations are spooled",
              {{"error", why.message}});
  said_away = true;
  phase = Phase::kAway;
  client.close();
  outbox.peer_is(ViolationOutbox::Peer::kAway);
  updates.clear();
  update_order.clear();
  connect_later(backoff);
  backoff = std::min(backoff * 2, kLongestRetry);
}

void NodeLink::State::connect_later(milliseconds delay) {
  retry.expires_after(delay);
  retry.async_wait([weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (self && !error && self->phase == Phase::kAway) self->connect();
  });
}

void NodeLink::State::report(const node::v1::ReportRequest& request,
                             ViolationOutbox::Answer answer) {
  call("Report", request.SerializeAsString(), kReportTimeout,
       [answer = std::move(answer)](State& self, const Result<std::string>& bytes) {
         answer(parse<node::v1::ReportResponse>(bytes));
         // Also when it is only silent: what is repeated to a peer that does not read would pile up
         // in our memory.
         if (!bytes && is_away(bytes.error().code)) self.leave(bytes.error());
       });
}

void NodeLink::State::send_update() {
  if (phase != Phase::kUp || update_in_flight || update_order.empty()) return;
  const auto next = updates.find(update_order.front());
  node::v1::UpdateContainerRequest request;
  request.set_shim_pid(::getpid());
  request.set_shim_address(config.shim_address);
  *request.mutable_container() = std::move(next->second);
  updates.erase(next);
  update_order.pop_front();
  update_in_flight = true;
  call("UpdateContainer", request.SerializeAsString(), kCallTimeout,
       [](State& self, const Result<std::string>& answer) {
         self.update_in_flight = false;
         // wardd does not know this state now; a new registration tells it.
         if (!answer && is_away(answer.error().code)) return self.leave(answer.error());
         if (!answer)
           log::warn("wardd refused a container's state", {{"error", answer.error().message}});
         self.send_update();
       });
}

void NodeLink::State::send_ended_recording() {
  if (phase != Phase::kUp || ended_in_flight || ended.empty()) return;
  ended_in_flight = true;
  call("EndRecording", ended.front().SerializeAsString(), kCallTimeout,
       [run = ended.front().run_id()](State& self, const Result<std::string>& answer) {
         self.ended_in_flight = false;
         if (!answer && is_away(answer.error().code)) return self.leave(answer.error());
         if (!answer)
           log::warn("wardd refused the end of a recording", {{"error", answer.error().message}});
         if (!self.ended.empty() && self.ended.front().run_id() == run) self.ended.pop_front();
         self.send_ended_recording();
       });
}

NodeLink::NodeLink(asio::io_context& loop, NodeLinkConfig config)
    : state_(std::make_shared<State>(loop, std::move(config))) {}

NodeLink::~NodeLink() { stop(); }

void NodeLink::start() {
  state_->client.on_disconnect([weak = std::weak_ptr<State>(state_)] {
    if (const auto self = weak.lock())
      self->leave(Error{Code::kUnavailable, "the connection to wardd broke", 0});
  });
  asio::post(state_->loop, [weak = std::weak_ptr<State>(state_)] {
    const auto self = weak.lock();
    if (self && self->phase == State::Phase::kAway) self->connect();
  });
}

bool NodeLink::connected() const { return state_->phase == State::Phase::kUp; }

void NodeLink::update(node::v1::ContainerStatus container) {
  State& state = *state_;
  state.look_if_new();
  if (state.phase != State::Phase::kRegistering && state.phase != State::Phase::kUp) return;
  const std::string key =
      container.identity().containerd_namespace() + "/" + container.identity().container_id();
  if (!state.updates.contains(key)) state.update_order.push_back(key);
  state.updates[key] = std::move(container);
  state.send_update();
}

bool NodeLink::begin_recording(const node::v1::BeginRecordingRequest& request, milliseconds timeout,
                               RecordingAnswer answer) {
  State& state = *state_;
  state.look_if_new();
  if (state.phase != State::Phase::kUp) {
    asio::post(state.loop, [weak = std::weak_ptr<State>(state_), answer = std::move(answer)] {
      const auto self = weak.lock();
      if (self && self->phase != State::Phase::kStopped)
        answer(fail(Code::kUnavailable, "wardd is away"));
    });
    return false;
  }
  state.call("BeginRecording", request.SerializeAsString(), timeout,
             [answer = std::move(answer)](State& /*self*/, const Result<std::string>& bytes) {
               answer(parse<node::v1::BeginRecordingResponse>(bytes));
             });
  return true;
}

void NodeLink::end_recording(node::v1::EndRecordingRequest request) {
  State& state = *state_;
  if (state.ended.size() >= kMaxEndedRecordings) {
    log::warn("forgot the end of a recording: wardd is away for long",
              {{"run", state.ended.front().run_id()}});
    state.ended.pop_front();
  }
  state.ended.push_back(std::move(request));
  state.look_if_new();
  state.send_ended_recording();
}

ViolationOutbox& NodeLink::violations() { return state_->outbox; }

void NodeLink::look_now() {
  asio::post(state_->loop, [weak = std::weak_ptr<State>(state_)] {
    if (const auto self = weak.lock()) self->look_now();
  });
}

void NodeLink::stop() {
  if (state_->phase == State::Phase::kStopped) return;
  state_->phase = State::Phase::kStopped;
  state_->retry.cancel();
  state_->client.on_disconnect({});
  state_->client.close();
  state_->outbox.peer_is(ViolationOutbox::Peer::kAway);
  state_->outbox.end();
}

}  // namespace ward::shim::links
