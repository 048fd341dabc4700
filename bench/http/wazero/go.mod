module wrun/bench/wazero

go 1.22.0

require github.com/http-wasm/http-wasm-host-go v0.7.0

require github.com/tetratelabs/wazero v1.9.0
