// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/runtime_options.h"

#include "lib/json/json.h"

#include "containerd/options.pb.h"
#include "lib/base/file.h"

namespace ward::shim::runtime {
namespace {

constexpr std::string_view kUrlPrefix = "type.googleapis.com/";

template <typename Message>
Result<Message> decode(const containerd::Any& any) {
  Message message;
  if (!message.ParseFromString(any.value())) {
    return fail(Code::kInvalidArgument, "runtime options: the bytes are not a " + any.type_url());
  }
  return message;
}

// What the two messages for runc have in common.
template <typename Message>
RuntimeOptions from_message(const Message& m) {
  RuntimeOptions o;
  o.no_pivot_root = m.no_pivot_root();
  o.no_new_keyring = m.no_new_keyring();
  o.io_uid = m.io_uid();
  o.io_gid = m.io_gid();
  o.shim_cgroup = m.shim_cgroup();
  o.criu_image_path = m.criu_image_path();
  o.criu_work_path = m.criu_work_path();
  if constexpr (std::is_same_v<Message, containerd::RuncOptions>) {
    o.systemd_cgroup = m.systemd_cgroup();
    o.binary_name = m.binary_name();
    o.root = m.root();
    o.criu_path = m.criu_path();
  }
  return o;
}

template <typename Message>
Result<RuntimeOptions> decode_as(const containerd::Any& any) {
  const auto message = decode<Message>(any);
  if (!message) return tl::unexpected(message.error());
  return from_message(*message);
}

template <>
Result<RuntimeOptions> decode_as<containerd::RuntimeOptions>(const containerd::Any& any) {
  const auto message = decode<containerd::RuntimeOptions>(any);
  if (!message) return tl::unexpected(message.error());
  const auto& m = *message;
  if (m.config_path().empty()) return parse_options_table(m.config_body());
  auto text = read_regular_file(m.config_path());
  if (!text) return fail_with("runtime options", text.error());
  auto options = parse_options_table(*text);
  if (!options) return fail_with("runtime options " + m.config_path(), options.error());
  return options;
}

}  // namespace

std::string_view without_url_prefix(std::string_view type_url) {
  if (type_url.substr(0, kUrlPrefix.size()) == kUrlPrefix)
    type_url.remove_prefix(kUrlPrefix.size());
  return type_url;
}

Result<RuntimeOptions> decode_options(const containerd::Any& any) {
  const std::string_view type = without_url_prefix(any.type_url());
  if (type.empty() && any.value().empty()) return RuntimeOptions{};
  if (type == "containerd.runc.v1.Options") return decode_as<containerd::RuncOptions>(any);
  if (type == "containerd.linux.runc.CreateOptions")
    return decode_as<containerd::CreateOptions>(any);
  if (type == "runtimeoptions.v1.Options") return decode_as<containerd::RuntimeOptions>(any);
  return fail(Code::kInvalidArgument,
              "runtime options of type '" + any.type_url() +
                  "' are not known; send containerd.runc.v1.Options or runtimeoptions.v1.Options");
}

std::string runtime_root(const RuntimeOptions& options, const std::string& containerd_namespace) {
  return (options.root.empty() ? std::string(kDefaultRuntimeRoot) : options.root) + "/" +
         containerd_namespace;
}

Result<void> save_options(const std::filesystem::path& bundle, const RuntimeOptions& o,
                          const std::string& binary) {
  nlohmann::json json = nlohmann::json::object();
  const auto put = [&json](const char* key, const auto& value) {
    if (value != std::decay_t<decltype(value)>{}) json[key] = value;
  };
  put("no_pivot_root", o.no_pivot_root);
  put("no_new_keyring", o.no_new_keyring);
  put("shim_cgroup", o.shim_cgroup);
  put("io_uid", o.io_uid);
  put("io_gid", o.io_gid);
  put("binary_name", o.binary_name);
  put("root", o.root);
  put("systemd_cgroup", o.systemd_cgroup);
  put("criu_path", o.criu_path);
  put("criu_image_path", o.criu_image_path);
  put("criu_work_path", o.criu_work_path);
  // No fsync: the bundle is on a tmpfs, and after a crash of the node there is no container to
  // delete.
  const auto text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (auto ok = write_file_atomically(bundle / "options.json", text, 0600, Durability::kNone); !ok)
    return ok;
  return write_file_atomically(bundle / "runtime", binary, 0600, Durability::kNone);
}

SavedOptions load_options(const std::filesystem::path& bundle) {
  SavedOptions saved;
  saved.binary = read_file(bundle / "runtime").value_or("");
  const auto text = read_file(bundle / "options.json");
  const auto json = parse_json<nlohmann::json>(text ? *text : "{}");
  if (json.is_object()) {
    const auto root = json.find("root");
    if (root != json.end() && root->is_string()) saved.options.root = root->get<std::string>();
    const auto systemd = json.find("systemd_cgroup");
    if (systemd != json.end() && systemd->is_boolean())
      saved.options.systemd_cgroup = systemd->get<bool>();
  }
  return saved;
}

}  // namespace ward::shim::runtime
