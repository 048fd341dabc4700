// A CGI program that answers by handler.js, run by QuickJS: its init export makes the interpreter
// and loads the script, so that a snapshot holds both; without a snapshot each request does that
// first.
#include <quickjs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char script[] = {
#include <handler.js.inc>  // its bytes as numbers
    , 0};
static JSContext* context;
static JSValue handle;

static void fail(const char* what) {
    JSValue error = JS_GetException(context);
    const char* text = JS_ToCString(context, error);
    fprintf(stderr, "%s: %s\n", what, text ? text : "?");
    exit(1);
}

__attribute__((export_name("wizer.initialize"))) void prepare(void) {
    JSRuntime* runtime = JS_NewRuntime();
    if (!runtime || !(context = JS_NewContext(runtime))) abort();
    JSValue done = JS_Eval(context, script, sizeof script - 1, "handler.js", JS_EVAL_TYPE_GLOBAL);
    if (JS_IsException(done)) fail("handler.js");
    JS_FreeValue(context, done);
    JSValue global = JS_GetGlobalObject(context);
    handle = JS_GetPropertyStr(context, global, "handle");
    JS_FreeValue(context, global);
}

int main(void) {
    static char body[65536];
    if (!context) prepare();
    size_t bytes = fread(body, 1, sizeof body, stdin);
    JSValue text = JS_NewStringLen(context, body, bytes);
    JSValue answer = JS_Call(context, handle, JS_UNDEFINED, 1, &text);
    if (JS_IsException(answer)) fail("handle");
    printf("Content-Type: application/json\n\n%s", JS_ToCString(context, answer));
    return 0;
}
