// SPDX-License-Identifier: Apache-2.0
// libcurl, loaded when the first sink needs it: with the twenty libraries that it brings it costs a
// megabyte of memory that nobody else has, which a node without such a sink does not pay. Its
// interface (libcurl.so.4) has been the same since 2006.
#pragma once

#include <curl/curl.h>

#include "lib/base/result.h"

namespace ward::enforcer::sinks {

struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  CURLcode (*easy_setopt)(CURL*, CURLoption, ...);
  CURLcode (*easy_getinfo)(CURL*, CURLINFO, ...);
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_multi_init) multi_init;
  decltype(&::curl_multi_cleanup) multi_cleanup;
  decltype(&::curl_multi_add_handle) multi_add_handle;
  decltype(&::curl_multi_remove_handle) multi_remove_handle;
  decltype(&::curl_multi_perform) multi_perform;
  decltype(&::curl_multi_poll) multi_poll;
  decltype(&::curl_multi_info_read) multi_info_read;
};

// Once for the process; any thread.
Result<const CurlLibrary*> load_curl();

}  // namespace ward::enforcer::sinks
