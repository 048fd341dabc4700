// See module.hpp: the module around the bodies.
#include "fuzz/differential/pressure/module.hpp"

#include "fuzz/differential/pressure/world.hpp"
#include "fuzz/differential/subject.hpp"

namespace wrun::differ {
namespace {

using build::Bytes;
using build::ModuleBuilder;

constexpr u32 free_elements = 4;

build::ValTypes val_types(const Types& types) {
    build::ValTypes all;
    for (const Type type : types)
        all.push_back(val_type_of(type));
    return all;
}

class ModuleMaker {
public:
    explicit ModuleMaker(const Random& random) : random_{random} {}

    [[nodiscard]] std::vector<u8> make() {
        choose_kind();
        const bool imports_memory = random_.once_in(4);
        const bool imports_table = random_.once_in(4);
        choose_signatures();
        import_functions();
        if (imports_memory) module_.import_memory(twin_module, "memory", build::limits(2, 3));
        if (imports_table) {
            module_.import_table(
                twin_module, "table", type_funcref, build::limits(table_size(), table_size() + 8));
        }
        make_globals();
        make_tables(imports_table);
        if (!imports_memory) module_.memory(2, 3);
        module_.export_item("memory", ExternKind::memory, 0);
        make_data();
        make_bodies();
        make_wrappers();
        make_elements(imports_table);
        return module_.bytes();
    }

private:
    u32 below(u32 bound) { return random_.below(bound); }

    void choose_kind() {
        const u32 kind = below(16);
        edges_ = kind < 3;
        small_ = kind < 9;
        shape_.floats = !random_.once_in(4);
        shape_.edges = edges_;
        body_count_ = edges_ ? 8 : small_ ? 6 + below(4) : 2 + below(3);
    }

    [[nodiscard]] Type any_number() { return static_cast<Type>(below(shape_.floats ? 4 : 2)); }
    [[nodiscard]] Type any_type() {
        return random_.once_in(16) ? static_cast<Type>(4 + below(2)) : any_number();
    }

    /// Few of all kinds; more of a class than there are argument registers; as many as all.
    [[nodiscard]] Types choose_params() {
        Types params;
        const u32 kind = below(8);
        const u32 count = kind < 4 ? below(5) : kind < 6 ? 6 + below(8) : 9 + below(12);
        const Type one = any_number();
        for (u32 i = 0; i < count; ++i)
            params.push_back(kind >= 6 && !random_.once_in(4) ? one : any_type());
        return params;
    }
    [[nodiscard]] Types choose_results() {
        Types results;
        const u32 count = below(4) != 0 ? 1 : below(6);
        for (u32 i = 0; i < count; ++i)
            results.push_back(random_.once_in(16) ? any_type() : any_number());
        return results;
    }
    [[nodiscard]] Signature make_signature(Types params, Types results) {
        Signature made{std::move(params), std::move(results), 0};
        made.type_index = module_.type(val_types(made.params), val_types(made.results));
        return made;
    }

    void choose_signatures() {
        for (u32 i = 0; i < body_count_; ++i)
            signatures_.push_back(make_signature(choose_params(), choose_results()));
    }

    [[nodiscard]] std::string wrapper_name(u32 body) const { return "w" + std::to_string(body); }

    void import_functions() {
        // "back" calls back into the instance; see observe.cpp.
        for (const char* const field : {"h0", "h1", "back"}) {
            const Signature host = make_signature(choose_params(), choose_results());
            world_.callable.push_back(module_.import_function("host", field, host.type_index));
            world_.functions.push_back(host);
        }
        for (u32 i = 0; i < body_count_; ++i) {
            if (!random_.once_in(3)) continue;
            world_.callable.push_back(
                module_.import_function(twin_module, wrapper_name(i), signatures_[i].type_index));
            world_.functions.push_back(signatures_[i]);
            twins_.push_back({i, world_.callable.back()});
        }
        world_.first_body = static_cast<u32>(world_.functions.size());
        for (u32 i = 0; i < body_count_; ++i) {
            world_.callable.push_back(world_.first_body + i);
            world_.functions.push_back(signatures_[i]);
        }
    }

    [[nodiscard]] static Bytes init(const Value& value) {
        switch (value.type) {
            case Type::i32: return build::body(build::i32_const(static_cast<i32>(value.bits)));
            case Type::i64: return build::body(build::i64_const(static_cast<i64>(value.bits)));
            case Type::f32:
                return build::join(
                    build::opcode(Op::f32_const), build::fixed(value.bits, 4), build::end());
            case Type::f64:
                return build::join(
                    build::opcode(Op::f64_const), build::fixed(value.bits, 8), build::end());
            default: return build::body(build::ref_null(val_type_of(value.type)));
        }
    }

    void make_globals() {
        if (random_.once_in(3)) {
            module_.import_global("host", "g", type_i32, false);
            world_.globals.push_back({Type::i32, false});
        }
        if (random_.once_in(4)) {
            module_.import_global(twin_module, "g0", type_i64, true);
            world_.globals.push_back({Type::i64, true});
        }
        world_.fuel_global = module_.global(type_i32, true, build::body(build::i32_const(0)));
        world_.globals.push_back({Type::i32, true});
        module_.export_item("fuel", ExternKind::global, world_.fuel_global);
        for (u32 i = 0; i < 5; ++i) {
            const Type type = i == 0 ? Type::i64 : any_type();
            const u32 index =
                module_.global(val_type_of(type), true, init(edge_value(type, random_.next())));
            world_.globals.push_back({type, true});
            module_.export_item("g" + std::to_string(i), ExternKind::global, index);
        }
    }

    [[nodiscard]] u32 table_size() const { return 2 * body_count_ + free_elements; }

    void make_tables(bool imported) {
        world_.table_pairs = body_count_;
        world_.table_free = free_elements;
        world_.function_table = 0;
        if (!imported) module_.table(type_funcref, table_size(), table_size() + 8);
        module_.export_item("table", ExternKind::table, 0);
        world_.extern_table_size = 8;
        world_.extern_table = module_.table(type_externref, world_.extern_table_size, 16);
        module_.export_item("extern_table", ExternKind::table, world_.extern_table);
    }

    /// Bytes that are no small numbers, all over the first page and at the end.
    void make_data() {
        world_.memory_bytes = 2 * 65'536;
        for (const i32 at : {0, 0x1000, 0x8000, 0xff00, 0x1ff80}) {
            std::string text;
            for (u32 i = 0; i < 128; ++i)
                text += static_cast<char>(random_.next());
            module_.active_data(build::body(build::i32_const(at)), text);
        }
        std::string text;
        world_.passive_data_bytes = 64;
        for (u32 i = 0; i < world_.passive_data_bytes; ++i)
            text += static_cast<char>(random_.next());
        world_.passive_data = module_.passive_data(text);
        module_.data_count(world_.passive_data + 1);
    }

    void make_bodies() {
        world_.module = &module_;
        static constexpr u32 budgets_small[] = {3, 6, 12, 25};
        static constexpr u32 budgets_large[] = {40, 80, 160, 320};
        for (u32 i = 0; i < body_count_; ++i) {
            shape_.budget = (small_ ? budgets_small : budgets_large)[below(4)];
            shape_.local_count = random_.once_in(4) ? 0 : below(random_.once_in(3) ? 40 : 10);
            if (random_.once_in(12)) shape_.local_count = 60 + below(100);
            shape_.big_frame = random_.once_in(40);
            shape_.wide_max = random_.once_in(4) ? 48 : 12;
            const Body body = make_body(world_, signatures_[i], shape_, random_);
            module_.function(signatures_[i].type_index, body.code, body.locals);
        }
    }

    /// What is exported: a body with all its arguments passed on, and fuel for it.
    void make_wrappers() {
        for (u32 i = 0; i < body_count_; ++i) {
            Bytes code = build::join(build::i32_const(8 + static_cast<i32>(below(8))),
                build::global_set(world_.fuel_global));
            for (u32 p = 0; p < signatures_[i].params.size(); ++p)
                build::append(code, build::local_get(p));
            build::append(code, build::call(world_.first_body + i));
            build::append(code, build::end());
            const u32 index = module_.function(signatures_[i].type_index, code);
            module_.export_item(wrapper_name(i), ExternKind::func, index);
        }
    }

    /// Pairs of one type: a body, and the same or the other instance's of that type. Not the latter
    /// in a table that both share: a body would find its own wrapper there and never run dry.
    void make_elements(bool shared) {
        std::vector<u32> elements;
        for (u32 i = 0; i < body_count_; ++i) {
            elements.push_back(world_.first_body + i);
            elements.push_back(world_.first_body + i);
            for (const Twin& twin : twins_) {
                if (twin.body == i && !shared) elements.back() = twin.function;
            }
        }
        module_.active_elements(build::body(build::i32_const(0)), elements);
    }

    struct Twin {
        u32 body;
        u32 function;
    };

    Random random_;
    ModuleBuilder module_;
    World world_;
    BodyShape shape_;
    bool edges_ = false;
    bool small_ = false;
    u32 body_count_ = 0;
    std::vector<Signature> signatures_;  // of the bodies
    std::vector<Twin> twins_;
};

}  // namespace

std::vector<u8> make_pressure_module(u64 seed, u64 number) {
    return ModuleMaker{Random{mix(seed, number)}}.make();
}

std::vector<u8> make_pressure_module(std::span<const u8> choices) {
    return ModuleMaker{Random{mix(choices.size(), 0), choices}}.make();
}

}  // namespace wrun::differ
