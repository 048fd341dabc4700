// V8 measured from inside node: what process.cpuUsage says around one step, so that starting node is not
// counted. usage: node FLAGS node.js compile FILE REPEATS | kernel FILE WORK REPEATS | guest SPEC | size FILE
// Prints one JSON object. `size` is for --trace-wasm-compilation-times, which prints the sizes itself.
'use strict';
const fs = require('fs');

function measured(step) {
    const cpu = process.cpuUsage(), wall = process.hrtime.bigint();
    const value = step();
    const wallTime = Number(process.hrtime.bigint() - wall), used = process.cpuUsage(cpu);
    return {value, cpu_ns: (used.user + used.system) * 1000, wall_ns: wallTime};
}

// The first one warms up and is not reported; garbage goes outside of what is measured.
function repeated(repeats, step) {
    const result = {cpu_ns: [], wall_ns: []};
    for (let i = 0; i <= repeats; ++i) {
        const one = measured(step);
        result.value = one.value;
        if (globalThis.gc) gc();
        if (i === 0) continue;
        result.cpu_ns.push(one.cpu_ns);
        result.wall_ns.push(one.wall_ns);
    }
    return result;
}

function compile(file, repeats) {
    const bytes = fs.readFileSync(file);
    if (!WebAssembly.validate(bytes)) new WebAssembly.Module(bytes);  // says why
    const validate = repeated(repeats, () => WebAssembly.validate(bytes));
    const compiled = repeated(repeats, () => { new WebAssembly.Module(bytes); });
    return {compile: compiled, validate};
}

function kernel(file, work, repeats) {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(file)));
    const run = repeated(repeats, () => instance.exports.run(work) >>> 0);
    return {run, result: run.value};
}

function guest(spec) {
    const {WASI} = require('wasi');
    const wasi = new WASI({version: 'preview1', args: spec.args, env: spec.env, preopens: spec.preopens,
        stdin: fs.openSync(spec.stdin, 'r'), stdout: fs.openSync(spec.stdout, 'w'),
        stderr: fs.openSync('/dev/null', 'w'), returnOnExit: true});
    const module = new WebAssembly.Module(fs.readFileSync(spec.module));
    const instance = new WebAssembly.Instance(module, wasi.getImportObject());
    const one = measured(() => wasi.start(instance));
    return {run: {cpu_ns: [one.cpu_ns], wall_ns: [one.wall_ns]}, exit_code: one.value ?? 0};
}

const [mode, file, ...rest] = process.argv.slice(2);
const numbers = rest.map(Number);
let result = {};
if (mode === 'compile') result = compile(file, numbers[0]);
else if (mode === 'kernel') result = kernel(file, numbers[0], numbers[1]);
else if (mode === 'guest') result = guest(JSON.parse(file));
else if (mode === 'size') new WebAssembly.Module(fs.readFileSync(file));
else throw new Error(`no such mode: ${mode}`);
if (mode !== 'size') console.log(JSON.stringify(result));
