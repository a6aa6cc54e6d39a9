// SPDX-License-Identifier: Apache-2.0
#include "tests/support/node.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "tests/support/node_remains.h"

namespace ward::test {
namespace fs = std::filesystem;
namespace {

bool answers(const fs::path& socket_path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void stop_child(std::unique_ptr<Child>& child, int signal, const char* what) {
  if (!child) return;
  child->signal(signal);
  if (!child->wait()) ADD_FAILURE() << what << " did not end within 30 s of signal " << signal;
  child.reset();
}

void write_text(const fs::path& path, const std::string& text) {
  const auto written = write_file_atomically(path, text, 0644, Durability::kNone);
  if (!written) ADD_FAILURE() << written.error().message;
}

// The line of `ctr task ls` about one task, in columns: id, pid, status.
std::vector<std::string> task_line(const Node& node, const std::string& id) {
  std::istringstream lines(node.ctr({"task", "ls"}).out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream columns(line);
    std::vector<std::string> words;
    for (std::string word; columns >> word;) words.push_back(word);
    if (!words.empty() && words[0] == id) return words;
  }
  return {};
}

std::string failed(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// Of a hybrid host one half only, where WARD_TEST_CGROUPS asks for v1 or v2: in this mount
// namespace a pure host.
std::string choose_cgroups() {
  const char* wanted = std::getenv("WARD_TEST_CGROUPS");
  const std::string version = wanted == nullptr ? "" : wanted;
  if (version == "v1") {
    if (::umount2("/sys/fs/cgroup/unified", MNT_DETACH) != 0)
      return failed("unmount /sys/fs/cgroup/unified");
  } else if (version == "v2") {
    if (::umount2("/sys/fs/cgroup", MNT_DETACH) != 0) return failed("unmount /sys/fs/cgroup");
    if (::mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                nullptr) != 0)
      return failed("mount cgroup2 at /sys/fs/cgroup");
  } else if (!version.empty()) {
    return "WARD_TEST_CGROUPS is v1 or v2, not " + version;
  }
  return {};
}

}  // namespace

std::string isolate_mounts() {
  if (::geteuid() != 0) return "integration tests need root";
  if (::unshare(CLONE_NEWNS) != 0) return failed("unshare a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return failed("make mounts private");
  fs::create_directories("/run/containerd");
  if (::mount("tmpfs", "/run/containerd", "tmpfs", MS_NOSUID | MS_NODEV, "mode=711") != 0)
    return failed("mount /run/containerd");
  if (::mount("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") != 0)
    return failed("mount /sys/fs/bpf");
  // Network plugins of pods keep their notes there.
  fs::create_directories("/var/lib/cni");
  if (::mount("tmpfs", "/var/lib/cni", "tmpfs", MS_NOSUID | MS_NODEV, "mode=700") != 0)
    return failed("mount /var/lib/cni");
  return choose_cgroups();
}

fs::path shim_binary() { return fs::path(WARD_BUILD_DIR) / "shim" / "containerd-shim-ward-v1"; }
fs::path wardd_binary() { return fs::path(WARD_BUILD_DIR) / "enforcer" / "wardd"; }
fs::path ward_binary() { return fs::path(WARD_BUILD_DIR) / "cli" / "ward"; }

Node::Node(Cri cri) : name_("ward-test-" + random_hex(4)) {
  containerd_namespace_ = cri == Cri::kOn ? "k8s.io" : name_;
  directory_ = directory_of(name_);
  for (const char* part : {"", "containerd", "etc/profiles", "etc/policies", "var", "run"})
    fs::create_directories(directory_ / part);
  fs::permissions(directory_,
                  fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  fs::permissions(directory_ / "run", fs::perms::owner_all);
  fs::permissions(directory_ / "var", fs::perms::owner_all);
  link_peers(directory_ / "bin");
  write_text(directory_ / "containerd.toml",
             containerd_config(directory_ / "containerd", shim_binary(), cri));
  if (cri == Cri::kOn) {
    write_cri_files(directory_ / "containerd", shim_binary());
    network_ = std::make_unique<PrivateNetwork>();
  }
}

Node::~Node() { stop(); }

fs::path Node::bundle(const std::string& id) const {
  return directory_ / "containerd/state/io.containerd.runtime.v2.task" / containerd_namespace_ / id;
}

std::string Node::shim_socket(const std::string& id) const {
  return "/run/containerd/s/" +
         sha256_hex((containerd_socket() / containerd_namespace_ / id).string());
}

Child::Options Node::environment(bool terminal) const {
  const char* path = std::getenv("PATH");
  return Child::Options{
      {"PATH=" + (directory_ / "bin").string() + ":" + shim_binary().parent_path().string() + ":" +
           (path != nullptr ? path : "/usr/bin:/bin:/usr/sbin:/sbin"),
       "WARD_CONFIG_DIR=" + config().string(), "WARD_STATE_DIR=" + state().string(),
       "WARD_RUN_DIR=" + (directory_ / "run").string(), std::string(kNodeVariable) + "=" + name_,
       "WARD_FAULTS=@" + (directory_ / "faults").string(),
       // ctr from 2.2 on speaks of cgroup v1 before each answer.
       "CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1"},
      terminal};
}

Child::Options Node::logged(const std::string& program) const {
  Child::Options options = environment();
  options.log = (directory_ / (program + ".log")).string();
  return options;
}

std::string Node::log_of(const std::string& program) const {
  const auto text = read_file(directory_ / (program + ".log"), 64U << 20U);
  constexpr std::size_t kEnough = 8192;
  return !text                     ? text.error().message
         : text->size() <= kEnough ? *text
                                   : text->substr(text->size() - kEnough);
}

void Node::start_containerd() {
  std::vector<std::string> command{"containerd", "-c", (directory_ / "containerd.toml").string(),
                                   "-l", "info"};
  if (network_) command = network_->command(std::move(command));
  containerd_ = std::make_unique<Child>(command, logged("containerd"));
  const bool up = await([&] {
    return containerd_->wait(std::chrono::milliseconds(0)) || ctr({"version"}).status == 0;
  });
  if (!up || containerd_->wait(std::chrono::milliseconds(0)))
    ADD_FAILURE() << "containerd does not answer:\n" << log_of("containerd");
}

void Node::stop_containerd(int signal) { stop_child(containerd_, signal, "containerd"); }

void Node::start_wardd(std::vector<std::string> through) {
  through.push_back(wardd_binary().string());
  wardd_ = std::make_unique<Child>(through, logged("wardd"));
  const bool up = await([&] {
    return wardd_->wait(std::chrono::milliseconds(0)) || answers(directory_ / "run/api/api.sock");
  });
  if (!up || wardd_->wait(std::chrono::milliseconds(0)))
    ADD_FAILURE() << "wardd does not answer:\n" << log_of("wardd");
}

void Node::stop_wardd(int signal) {
  note_bpf_programs();
  wardd_was_killed_ = wardd_ != nullptr && signal == SIGKILL;
  stop_child(wardd_, signal, "wardd");
}

std::optional<int> Node::await_end_of_wardd() {
  note_bpf_programs();
  const auto status = wardd_->wait();
  if (status) wardd_.reset();
  return status;
}

void Node::note_bpf_programs() { bpf_programs_.merge(bpf_programs_of(name_)); }

void Node::import_image(const std::string& name) {
  const Output built = run({std::string(WARD_SOURCE_DIR) + "/scripts/build-image", name}, {}, {},
                           std::chrono::minutes(5));
  ASSERT_EQ(built.status, 0) << built.err;
  const Output imported = ctr({"image", "import", built.out.substr(0, built.out.find('\n'))});
  ASSERT_EQ(imported.status, 0) << imported.err;
}

void Node::write_policy(const std::string& name, const std::string& yaml) const {
  write_text(config() / "policies" / (name + ".yaml"), yaml);
}
void Node::write_profile(const std::string& name, const std::string& yaml) const {
  write_text(config() / "profiles" / (name + ".yaml"), yaml);
}

std::vector<std::string> Node::ctr_command(std::vector<std::string> arguments) const {
  std::vector<std::string> command{"ctr", "--address", containerd_socket().string(), "--namespace",
                                   containerd_namespace_};
  // ctr gives each container cpu shares, and the unified hierarchy of a hybrid host has no cpu
  // controller.
  const char* cgroups = std::getenv("WARD_TEST_CGROUPS");
  if (cgroups != nullptr && std::string(cgroups) == "v2" && !arguments.empty() &&
      arguments.front() == "run")
    arguments.insert(arguments.begin() + 1, {"--cpu-shares", "0"});
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

Output Node::ctr(const std::vector<std::string>& arguments, std::string_view input) const {
  return run(ctr_command(arguments), environment(), input);
}

Output Node::ward(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), ward_binary().string());
  return run(arguments, environment());
}

std::string Node::unique(const std::string& prefix) {
  return prefix + "-" + std::to_string(++counter_);
}

std::string Node::task_status(const std::string& id) const {
  const std::vector<std::string> line = task_line(*this, id);
  return line.size() >= 3 ? line[2] : "";
}

pid_t Node::task_pid(const std::string& id) const {
  const std::vector<std::string> line = task_line(*this, id);
  return line.size() >= 3 ? std::atoi(line[1].c_str()) : -1;
}

pid_t Node::shim_pid(const std::string& id) const { return find_shim(containerd_namespace_, id); }

void Node::poke(const std::string& id, const std::string& attack) const {
  const fs::path trigger = "/proc/" + std::to_string(task_pid(id)) + "/root/trigger";
  await([&] { return fs::is_fifo(trigger); });  // its program makes it when it begins
  std::ofstream fifo(trigger);
  fifo << attack << std::endl;
  if (!fifo) ADD_FAILURE() << "cannot poke " << id;
}

void Node::remove(const std::string& id) const {
  if (const std::string status = task_status(id); !status.empty()) {
    if (status != "STOPPED") ctr({"task", "kill", "-s", "KILL", "-a", id});
    await([&] { return task_status(id) == "STOPPED" || task_status(id).empty(); });
    ctr({"task", "delete", "-f", id});
  } else {
    remove_fifos_of(id);
  }
  ctr({"container", "delete", id});
}

std::vector<std::string> Node::processes() const { return processes_of(name_); }

std::vector<std::string> Node::leftovers(Daemons daemons) const {
  std::vector<std::string> found = remains_of(name_, daemons);
  const std::set<std::uint32_t> in_use = bpf_programs_of(name_);
  for (const std::uint32_t id : bpf_programs_)
    if (in_use.count(id) == 0 && bpf_program_exists(id))
      found.push_back("BPF program " + std::to_string(id));
  return found;
}

void Node::stop() {
  if (directory_.empty()) return;
  note_bpf_programs();
  if (containerd_) {
    std::istringstream ids(ctr({"container", "ls", "-q"}).out);
    for (std::string id; std::getline(ids, id);) remove(id);
  }
  if (wardd_was_killed_ && !wardd_)
    start_wardd();  // what it had in hand is cleared up by the next one
  stop_wardd(SIGTERM);
  stop_containerd(SIGTERM);
  await([&] { return leftovers().empty(); }, std::chrono::seconds(is_slow_host() ? 30 : 5));
  for (const std::string& left : leftovers()) ADD_FAILURE() << "left behind: " << left;
  remove_remains(name_, directory_);
  directory_.clear();
}

Events::Events(Node& node) : child_(node.ctr_command({"events"}), node.environment()) {
  // The stream says nothing when it is ready; a harmless event is repeated until it comes through.
  unsigned round = 0;
  const bool ready = test::await([&] {
    node.ctr(
        {"namespaces", "label", node.containerd_namespace(), "round=" + std::to_string(++round)});
    return child_.await_output("/namespaces/update", 0, std::chrono::milliseconds(50));
  });
  if (!ready) ADD_FAILURE() << "ctr events delivers nothing: " << child_.err();
}

std::vector<std::string> Events::all() const {
  constexpr std::string_view kTopic = " /tasks/", kId = "\"container_id\":\"";
  std::vector<std::string> told;
  std::istringstream lines(child_.out());
  for (std::string line; std::getline(lines, line);) {
    std::size_t topic = line.find(kTopic), id = line.find(kId);
    if (topic == std::string::npos || id == std::string::npos) continue;
    topic += kTopic.size();
    id += kId.size();
    told.push_back(line.substr(id, line.find('"', id) - id) + " " +
                   line.substr(topic, line.find(' ', topic) - topic));
  }
  return told;
}

std::vector<std::string> Events::of(const std::string& id) const {
  std::vector<std::string> topics;
  for (const std::string& told : all())
    if (told.rfind(id + " ", 0) == 0) topics.push_back(told.substr(id.size() + 1));
  return topics;
}

std::vector<std::string> Events::await(const std::string& id, const std::string& last_topic) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (Clock::now() < deadline) {
    std::vector<std::string> topics = of(id);
    if (!topics.empty() && topics.back() == last_topic) return topics;
    child_.await_output("\n", child_.out().size(), std::chrono::milliseconds(100));
  }
  return of(id);
}

}  // namespace ward::test
