// EngineTest with slots: a pool and one shard of it, for tests that run instances of templates.
#pragma once

#include "engine/pool.hpp"
#include "tests/engine/world.hpp"

namespace wrun::test {

using engine::Pool;
using engine::PoolOptions;
using engine::Shard;
using engine::Template;
using engine::TemplateOptions;
using TemplatePtr = std::shared_ptr<const Template>;

class SlotsTest : public EngineTest {
protected:
    void open_pool(const PoolOptions& options) {
        shard.reset();
        pool = Pool::make(*engine, options).take();
        shard = Shard::make(*pool).take();
    }

    std::unique_ptr<Pool> pool;
    std::unique_ptr<Shard> shard;
};

}  // namespace wrun::test
