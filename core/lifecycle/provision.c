/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/provision.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/image.h"

#include <string.h>

struct work {
    const struct caller *caller;
    const char *stage;
    int64_t started_ms;
};

static void tell(const struct work *work, const char *state, const char *text)
{
    if (work->caller->progress != NULL) {
        work->caller->progress(work->caller->context, work->stage, state, text,
                               clock_mono_ms() - work->started_ms);
    }
}

static void on_progress(void *context, const char *text)
{
    tell(context, "info", text);
}

static bool is_cancelled(void *context)
{
    const struct caller *caller = ((const struct work *)context)->caller;
    return caller->cancelled != NULL && caller->cancelled(caller->context);
}

static struct image_context make_context(struct engine *engine, struct work *work)
{
    return (struct image_context){
        .layout = engine->layout,
        .store = engine->store,
        .progress = on_progress,
        .cancelled = is_cancelled,
        .context = work,
    };
}

static int build_default_image(struct engine *engine, const struct caller *caller, const char *name,
                               struct image_record *image, banger_error *err)
{
    struct work work = {caller, "image", clock_mono_ms()};
    struct image_context context = make_context(engine, &work);
    AUTO_FREE char *text = str_format("building the default image '%s'", name);
    tell(&work, "start", text);
    int result = strcmp(name, "debian") == 0 ? image_build_debian(&context, name, image, err)
                                             : image_build_tiny(&context, name, image, err);
    tell(&work, result < 0 ? "failed" : "done", "");
    return result;
}

static bool is_buildable(const char *name)
{
    return strcmp(name, "tiny") == 0 || strcmp(name, "debian") == 0;
}

int provision_image(struct engine *engine, const struct caller *caller, const char *reference,
                    struct image_record *image, banger_error *err)
{
    const char *standard = json_get_string(engine->config, "default_image", "tiny");
    const char *name = reference != NULL ? reference : standard;
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(engine->locks, "image", name);
    banger_error found = BANGER_ERROR_INIT;
    if (image_find(engine->store, name, image, &found) == 0) {
        return 0;
    }
    if (found.code == BANGER_ENOTFOUND && strcmp(name, standard) == 0 && is_buildable(name)) {
        return build_default_image(engine, caller, name, image, err);
    }
    *err = found;
    if (found.code == BANGER_ENOTFOUND && found.hint[0] == '\0') {
        (void)error_hint(err, "banger image list shows the images; banger image build makes one");
    }
    return -1;
}

static int import_default_kernel(struct engine *engine, const struct caller *caller,
                                 const char *name, struct kernel_record *kernel, banger_error *err)
{
    struct work work = {caller, "kernel", clock_mono_ms()};
    struct image_context context = make_context(engine, &work);
    AUTO_FREE char *text = str_format("importing the default kernel '%s'", name);
    tell(&work, "start", text);
    struct kernel_source source = {.deb_package = name, .name = name};
    int result = kernel_import(&context, &source, kernel, err);
    tell(&work, result < 0 ? "failed" : "done", "");
    return result;
}

int provision_kernel(struct engine *engine, const struct caller *caller, const char *reference,
                     struct kernel_record *kernel, banger_error *err)
{
    const char *standard =
        json_get_string(engine->config, "default_kernel", "linux-image-cloud-amd64");
    const char *name = reference != NULL ? reference : standard;
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(engine->locks, "kernel", name);
    banger_error found = BANGER_ERROR_INIT;
    if (kernel_find(engine->store, name, kernel, &found) == 0) {
        return 0;
    }
    if (found.code == BANGER_ENOTFOUND && strcmp(name, standard) == 0) {
        return import_default_kernel(engine, caller, name, kernel, err);
    }
    *err = found;
    if (found.code == BANGER_ENOTFOUND && found.hint[0] == '\0') {
        (void)error_hint(err,
                         "banger kernel list shows the kernels; banger kernel import adds one");
    }
    return -1;
}
