// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/curl_library.h"

#include <dlfcn.h>

#include <string>

namespace ward::enforcer::sinks {
namespace {

Result<CurlLibrary> load() {
  void* const library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return fail(Code::kUnavailable, std::string(why == nullptr ? "libcurl.so.4" : why) +
                                        ": sinks over HTTP need it (apt install libcurl4)");
  }
  std::string missing;
  const auto take = [library, &missing](auto& function, const char* name) {
    void* const found = ::dlsym(library, name);
    if (found == nullptr) missing += std::string(" ") + name;
    function = reinterpret_cast<std::decay_t<decltype(function)>>(found);
  };
  CurlLibrary curl{};
  take(curl.global_init, "curl_global_init");
  take(curl.easy_init, "curl_easy_init");
  take(curl.easy_setopt, "curl_easy_setopt");
  take(curl.easy_getinfo, "curl_easy_getinfo");
  take(curl.easy_cleanup, "curl_easy_cleanup");
  take(curl.easy_strerror, "curl_easy_strerror");
  take(curl.slist_append, "curl_slist_append");
  take(curl.slist_free_all, "curl_slist_free_all");
  take(curl.multi_init, "curl_multi_init");
  take(curl.multi_cleanup, "curl_multi_cleanup");
  take(curl.multi_add_handle, "curl_multi_add_handle");
  take(curl.multi_remove_handle, "curl_multi_remove_handle");
  take(curl.multi_perform, "curl_multi_perform");
  take(curl.multi_poll, "curl_multi_poll");
  take(curl.multi_info_read, "curl_multi_info_read");
  if (!missing.empty())
    return fail(Code::kUnavailable,
                "libcurl.so.4 has no" + missing + ": 7.88 is what Ward is built with");
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return fail(Code::kUnavailable, "libcurl does not begin");
  return curl;
}

}  // namespace

Result<const CurlLibrary*> load_curl() {
  static const Result<CurlLibrary> loaded = load();
  if (!loaded) return tl::unexpected<Error>(loaded.error());
  return &*loaded;
}

}  // namespace ward::enforcer::sinks
