// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/listener_offer.h"

#include <optional>
#include <vector>

#include "lib/json/json.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kMaxDepth = 16;  // a genuine message has three levels
constexpr std::size_t kMaxIdBytes = 1024;
constexpr std::int64_t kMaxPid = 1 << 22;

// Takes the few fields that are needed while the text goes by. Nothing else is kept or built: the
// message carries every annotation of the container, of any text and number.
class FieldsOfInterest : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool too_deep = false;
  bool has_state = false;
  std::optional<std::int64_t> pid;
  std::string metadata, id, status;
  std::vector<std::string> fds;
  std::size_t other_fds = 0;

  bool null() override { return value(); }
  bool boolean(bool /*value*/) override { return value(); }
  bool number_float(double /*value*/, const std::string& /*text*/) override { return value(); }
  bool binary(nlohmann::json::binary_t& /*value*/) override { return value(); }
  bool number_integer(std::int64_t number) override {
    if (at("pid")) pid = number;
    return value();
  }
  bool number_unsigned(std::uint64_t number) override {
    if (at("pid"))
      pid = number > static_cast<std::uint64_t>(kMaxPid) ? -1 : static_cast<std::int64_t>(number);
    return value();
  }
  bool string(std::string& text) override {
    if (in_fds_) {
      fds.push_back(std::move(text));
      return true;
    }
    if (at("metadata")) {
      metadata = std::move(text);
    } else if (in_state("id")) {
      id = std::move(text);
    } else if (in_state("status")) {
      status = std::move(text);
    }
    return true;
  }
  bool key(std::string& name) override {
    if (depth_ == 1) top_key_ = name;
    if (depth_ == 2) inner_key_ = name;
    return true;
  }
  bool start_object(std::size_t /*elements*/) override {
    (void)value();
    if (at("state")) has_state = in_state_ = true;
    return deeper();
  }
  bool end_object() override {
    if (--depth_ == 1) in_state_ = false;
    return true;
  }
  bool start_array(std::size_t /*elements*/) override {
    (void)value();
    // Not an object: the whole is none, either.
    if (depth_ == 0) return false;
    if (at("fds")) in_fds_ = true;
    return deeper();
  }
  bool end_array() override {
    if (--depth_ == 1) in_fds_ = false;
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  [[nodiscard]] bool at(std::string_view name) const { return depth_ == 1 && top_key_ == name; }
  [[nodiscard]] bool in_state(std::string_view name) const {
    return in_state_ && depth_ == 2 && inner_key_ == name;
  }
  // One that nobody asked for; among the descriptors it is no name.
  bool value() {
    if (in_fds_) ++other_fds;
    return true;
  }
  bool deeper() {
    too_deep = ++depth_ > kMaxDepth;
    return !too_deep;
  }

  std::size_t depth_ = 0;
  bool in_state_ = false;
  bool in_fds_ = false;
  std::string top_key_, inner_key_;
};

}  // namespace

bool MessageEnd::reached_with(std::string_view piece) {
  for (const char c : piece) {
    if (reached_) break;
    if (escaped_) {
      escaped_ = false;
    } else if (in_string_) {
      escaped_ = c == '\\';
      in_string_ = c != '"';
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      reached_ = --depth_ <= 0;
    }
  }
  return reached_;
}

Result<ContainerProcessState> parse_process_state(std::string_view json) {
  FieldsOfInterest fields;
  if (!nlohmann::json::sax_parse(json, &fields)) {
    return fail(Code::kInvalidArgument, fields.too_deep ? "the process state is nested too deeply"
                                                        : "the process state is not a JSON object");
  }
  if (fields.other_fds != 0 || fields.fds != std::vector<std::string>{"seccompFd"}) {
    return fail(Code::kInvalidArgument,
                "the process state does not announce exactly one seccompFd");
  }
  if (!fields.pid) return fail(Code::kInvalidArgument, "the process state has no pid");
  if (*fields.pid <= 0 || *fields.pid > kMaxPid || !fields.has_state) {
    return fail(Code::kInvalidArgument, "the process state has no valid pid or no state");
  }
  if (fields.id.empty() || fields.id.size() > kMaxIdBytes) {
    return fail(Code::kInvalidArgument, "the process state has no container id");
  }
  ContainerProcessState parsed;
  parsed.pid = static_cast<pid_t>(*fields.pid);
  parsed.container_id = std::move(fields.id);
  parsed.status = std::move(fields.status);
  parsed.metadata = std::move(fields.metadata);
  return parsed;
}

}  // namespace ward::shim::supervisor
