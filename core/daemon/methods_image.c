/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods on images and kernels. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "daemon/methods.h"
#include "image/image.h"
#include "lifecycle/view.h"

#include <string.h>

struct work {
    struct rpc_request *request;
    const char *stage;
    int64_t started_ms;
};

static void on_progress(void *context, const char *text)
{
    struct work *work = context;
    struct caller caller = daemon_caller(work->request);
    caller.progress(caller.context, work->stage, "info", text, clock_mono_ms() - work->started_ms);
}

static bool is_cancelled(void *context)
{
    return rpc_request_cancelled(((struct work *)context)->request);
}

static struct image_context make_context(struct daemon *daemon, struct work *work)
{
    return (struct image_context){
        .layout = &daemon->layout,
        .store = daemon->store,
        .progress = on_progress,
        .cancelled = is_cancelled,
        .context = work,
    };
}

METHOD(method_image_list)
{
    (void)request;
    (void)params;
    struct daemon *daemon = context;
    struct image_list list = {0};
    if (image_list_all(daemon->store, &list, err) < 0) {
        return -1;
    }
    *result = json_array();
    for (size_t i = 0; i < list.count; i++) {
        (void)json_array_append_new(*result, view_image(&list.items[i]));
    }
    image_list_free(&list);
    return 0;
}

static int find_image(struct daemon *daemon, const json_t *params, struct image_record *image,
                      banger_error *err)
{
    const char *reference = NULL;
    if (json_need_string(params, "image", &reference, err) < 0) {
        return -1;
    }
    return image_find(daemon->store, reference, image, err);
}

METHOD(method_image_show)
{
    (void)request;
    struct image_record image = {0};
    if (find_image(context, params, &image, err) < 0) {
        return -1;
    }
    *result = view_image(&image);
    image_record_free(&image);
    return 0;
}

METHOD(method_image_delete)
{
    struct daemon *daemon = context;
    struct work work = {request, "delete", clock_mono_ms()};
    struct image_context image_context = make_context(daemon, &work);
    struct image_record image = {0};
    daemon_wait_ready(daemon);
    if (find_image(daemon, params, &image, err) < 0) {
        return -1;
    }
    int status = image_delete(&image_context, image.id, err);
    if (status == 0) {
        *result = view_image(&image);
    }
    image_record_free(&image);
    return status;
}

METHOD(method_image_build)
{
    struct daemon *daemon = context;
    struct work work = {request, "image", clock_mono_ms()};
    struct image_context image_context = make_context(daemon, &work);
    struct image_record image = {0};
    static const char *const known[] = {"kind", "name", NULL};
    const char *kind = NULL;
    const char *name = NULL;
    daemon_wait_ready(daemon);
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_need_string(params, "kind", &kind, err) < 0 ||
        json_want_string(params, "name", &name, err) < 0) {
        return -1;
    }
    bool tiny = strcmp(kind, "tiny") == 0;
    if (!tiny && strcmp(kind, "debian") != 0) {
        return error_set(err, BANGER_EINVALID, "unknown kind of image '%.64s': use tiny or debian",
                         kind);
    }
    name = name != NULL ? name : kind;
    AUTO_KEY_LOCK struct key_lock *lock = key_lock_take(daemon->engine.locks, "image", name);
    if ((tiny ? image_build_tiny : image_build_debian)(&image_context, name, &image, err) < 0) {
        return -1;
    }
    *result = view_image(&image);
    image_record_free(&image);
    return 0;
}

METHOD(method_image_register)
{
    struct daemon *daemon = context;
    struct work work = {request, "image", clock_mono_ms()};
    struct image_context image_context = make_context(daemon, &work);
    struct image_record image = {0};
    static const char *const known[] = {"path", "name", NULL};
    const char *path = NULL;
    const char *name = NULL;
    daemon_wait_ready(daemon);
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_need_string(params, "path", &path, err) < 0 ||
        json_need_string(params, "name", &name, err) < 0 ||
        name_check_path("path", path, err) < 0 ||
        image_register(&image_context, path, name, &image, err) < 0) {
        return -1;
    }
    *result = view_image(&image);
    image_record_free(&image);
    return 0;
}

METHOD(method_kernel_list)
{
    (void)request;
    (void)params;
    struct daemon *daemon = context;
    struct kernel_list list = {0};
    if (kernel_list_all(daemon->store, &list, err) < 0) {
        return -1;
    }
    *result = json_array();
    for (size_t i = 0; i < list.count; i++) {
        (void)json_array_append_new(*result, view_kernel(&list.items[i]));
    }
    kernel_list_free(&list);
    return 0;
}

static int find_kernel(struct daemon *daemon, const json_t *params, struct kernel_record *kernel,
                       banger_error *err)
{
    const char *reference = NULL;
    if (json_need_string(params, "kernel", &reference, err) < 0) {
        return -1;
    }
    return kernel_find(daemon->store, reference, kernel, err);
}

METHOD(method_kernel_show)
{
    (void)request;
    struct kernel_record kernel = {0};
    if (find_kernel(context, params, &kernel, err) < 0) {
        return -1;
    }
    *result = view_kernel(&kernel);
    kernel_record_free(&kernel);
    return 0;
}

METHOD(method_kernel_delete)
{
    struct daemon *daemon = context;
    struct work work = {request, "delete", clock_mono_ms()};
    struct image_context image_context = make_context(daemon, &work);
    struct kernel_record kernel = {0};
    daemon_wait_ready(daemon);
    if (find_kernel(daemon, params, &kernel, err) < 0) {
        return -1;
    }
    int status = kernel_delete(&image_context, kernel.id, err);
    if (status == 0) {
        *result = view_kernel(&kernel);
    }
    kernel_record_free(&kernel);
    return status;
}

static int take_kernel_source(const json_t *params, struct kernel_source *source, banger_error *err)
{
    static const char *const known[] = {"deb", "deb_file", "vmlinuz", "modules", "name", NULL};
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_want_string(params, "deb", &source->deb_package, err) < 0 ||
        json_want_string(params, "deb_file", &source->deb_file, err) < 0 ||
        json_want_string(params, "vmlinuz", &source->vmlinuz, err) < 0 ||
        json_want_string(params, "modules", &source->modules, err) < 0 ||
        json_want_string(params, "name", &source->name, err) < 0) {
        return -1;
    }
    const char *paths[] = {source->deb_file, source->vmlinuz, source->modules};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (paths[i] != NULL && name_check_path("path", paths[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

METHOD(method_kernel_import)
{
    struct daemon *daemon = context;
    struct work work = {request, "kernel", clock_mono_ms()};
    struct image_context image_context = make_context(daemon, &work);
    struct kernel_source source = {0};
    struct kernel_record kernel = {0};
    daemon_wait_ready(daemon);
    if (take_kernel_source(params, &source, err) < 0 ||
        kernel_import(&image_context, &source, &kernel, err) < 0) {
        return -1;
    }
    *result = view_kernel(&kernel);
    kernel_record_free(&kernel);
    return 0;
}
