// SPDX-License-Identifier: Apache-2.0
// Requests of `ward record` in the index: until their time, over restarts, bounded.
#include "tests/unit/enforcer/store/store_test_base.h"

namespace ward::enforcer {
namespace {

using testing::IsEmpty;

node::v1::RecordRule record(const std::string& id, std::int64_t until_wall_ns) {
  node::v1::RecordRule rule;
  rule.set_id(id);
  rule.set_until_wall_ns(until_wall_ns);
  rule.add_selectors()->add_containers("web-*");
  return rule;
}

TEST_F(StoreTest, ARequestForARecordingIsInTheIndexUntilItsTimeAlsoOverRestartsAndChanges) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  store_->reload();
  ASSERT_TRUE(store_->put_record(record("aa", 100)));
  ASSERT_TRUE(store_->put_record(record("bb", 200)));
  EXPECT_EQ(index().records_size(), 2);
  const std::uint64_t generation = index().generation();
  ASSERT_TRUE(store_->put_record(record("bb", 200)));
  EXPECT_EQ(index().generation(), generation) << "it said so already";
  open();
  store_->reload();
  EXPECT_EQ(index().generation(), generation);
  write(places_.profiles() / "db.yaml", profile("db", 1));
  store_->reload();
  EXPECT_EQ(index().records_size(), 2);
  EXPECT_EQ(index().profiles_size(), 2);
  store_->end_records(150);
  ASSERT_EQ(index().records_size(), 1);
  EXPECT_EQ(index().records(0).id(), "bb");
  ASSERT_TRUE(store_->drop_record("bb"));
  ASSERT_TRUE(store_->drop_record("bb"));
  EXPECT_EQ(index().records_size(), 0);
  EXPECT_THAT(store_->problems(), IsEmpty());
}

TEST_F(StoreTest, RequestsForRecordingsAreBounded) {
  store_->reload();
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(store_->put_record(record(std::to_string(i), 100)));
  const auto more = store_->put_record(record("more", 100));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kResourceExhausted);
  EXPECT_TRUE(store_->put_record(record("3", 200)));
}

}  // namespace
}  // namespace ward::enforcer
