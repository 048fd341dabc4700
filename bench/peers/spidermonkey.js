// SpiderMonkey's shell does a step a number of times. It cannot tell CPU time, so bench/engines.py takes the
// difference between two processes that do it a different number of times.
// usage: js102 FLAGS spidermonkey.js compile FILE TIMES | validate FILE TIMES | kernel FILE WORK TIMES
'use strict';
const [mode, file, ...numbers] = scriptArgs;
const bytes = os.file.readFile(file, 'binary');
let result = null;
if (mode === 'kernel') {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    for (let i = 0; i < Number(numbers[1]); ++i) result = instance.exports.run(Number(numbers[0])) >>> 0;
} else {
    const step = mode === 'compile' ? () => new WebAssembly.Module(bytes) : () => WebAssembly.validate(bytes);
    for (let i = 0; i < Number(numbers[0]); ++i) {
        if (step() === false) throw new Error('not valid here');
    }
}
print(JSON.stringify({result}));
