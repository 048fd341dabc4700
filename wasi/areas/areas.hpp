// The functions of preview 1 as plain C++: guest addresses are u32, sizes and times u64, and Call
// gives state and memory, so they run over any buffer, without an engine. One .cpp per area. Where
// a function says nothing here it does what the WASI documentation says; the notes are about
// choices.
#pragma once

#include <variant>

#include "wasi/call.hpp"

namespace wrun::wasi::areas {

// ---- args.cpp: arguments and environment -----------------------------------------------------
Errno args_get(Call& call, u32 pointers, u32 buffer);
Errno args_sizes_get(Call& call, u32 count, u32 bytes);
Errno environ_get(Call& call, u32 pointers, u32 buffer);
Errno environ_sizes_get(Call& call, u32 count, u32 bytes);

// ---- clock.cpp: the host's clocks; the CPU clocks are those of the process and the thread ------
Errno clock_res_get(Call& call, u32 clock, u32 resolution);
Errno clock_time_get(Call& call, u32 clock, u64 precision, u32 time);

// ---- fd_io.cpp: bytes in and out. A blocking guest blocks even where the host's file does not --
Errno fd_read(Call& call, u32 fd, u32 buffers, u32 count, u32 transferred);
Errno fd_pread(Call& call, u32 fd, u32 buffers, u32 count, u64 offset, u32 transferred);
Errno fd_write(Call& call, u32 fd, u32 buffers, u32 count, u32 transferred);
Errno fd_pwrite(Call& call, u32 fd, u32 buffers, u32 count, u64 offset, u32 transferred);
Errno fd_seek(Call& call, u32 fd, u64 offset, u32 whence, u32 position);
Errno fd_tell(Call& call, u32 fd, u32 position);
Errno fd_sync(Call& call, u32 fd);
Errno fd_datasync(Call& call, u32 fd);
Errno fd_advise(Call& call, u32 fd, u64 offset, u64 length, u32 advice);
Errno fd_allocate(Call& call, u32 fd, u64 offset, u64 length);

// ---- fd_stat.cpp: what a descriptor is ---------------------------------------------------------
Errno fd_close(Call& call, u32 fd);
Errno fd_renumber(Call& call, u32 source, u32 target);
Errno fd_fdstat_get(Call& call, u32 fd, u32 record);
/// `append` of a standard stream, and the syncing flags, are what they are: changing them is
/// `notsup`.
Errno fd_fdstat_set_flags(Call& call, u32 fd, u32 flags);
/// Rights can only be given up.
Errno fd_fdstat_set_rights(Call& call, u32 fd, u64 base, u64 inheriting);
Errno fd_filestat_get(Call& call, u32 fd, u32 record);
Errno fd_filestat_set_size(Call& call, u32 fd, u64 size);
Errno fd_filestat_set_times(Call& call, u32 fd, u64 atim, u64 mtim, u32 fst_flags);
/// `badf` for a descriptor that is no preopen: guests count up from 3 until they meet it.
Errno fd_prestat_get(Call& call, u32 fd, u32 record);
Errno fd_prestat_dir_name(Call& call, u32 fd, u32 buffer, u32 length);

// ---- fd_readdir.cpp: cookies are the file system's own directory positions ----------------------
Errno fd_readdir(Call& call, u32 fd, u32 buffer, u32 length, u64 cookie, u32 used);

// ---- path_open.cpp
// -------------------------------------------------------------------------------
/// Requested rights beyond the directory's inheriting ones are `notcapable`; rights that do not
/// apply to the file found are dropped. Without fd_write in `base` the file is opened for reading.
Errno path_open(Call& call, u32 fd, u32 lookup, u32 path, u32 path_length, u32 o_flags, u64 base,
    u64 inheriting, u32 fd_flags, u32 opened);

// ---- path_stat.cpp
// -------------------------------------------------------------------------------
Errno path_filestat_get(Call& call, u32 fd, u32 lookup, u32 path, u32 path_length, u32 record);
Errno path_filestat_set_times(
    Call& call, u32 fd, u32 lookup, u32 path, u32 path_length, u64 atim, u64 mtim, u32 fst_flags);
/// Gives the link's text as it is, cut to the buffer.
Errno path_readlink(
    Call& call, u32 fd, u32 path, u32 path_length, u32 buffer, u32 length, u32 used);

// ---- path_names.cpp: making, moving and removing names
// ---------------------------------------------
Errno path_create_directory(Call& call, u32 fd, u32 path, u32 path_length);
/// Following a symlink at the end of the source is `inval`.
Errno path_link(Call& call, u32 source_fd, u32 lookup, u32 source, u32 source_length, u32 target_fd,
    u32 target, u32 target_length);
Errno path_remove_directory(Call& call, u32 fd, u32 path, u32 path_length);
Errno path_rename(Call& call, u32 source_fd, u32 source, u32 source_length, u32 target_fd,
    u32 target, u32 target_length);
/// An absolute text is `notcapable`: it could only ever mean a place outside.
Errno path_symlink(Call& call, u32 text, u32 text_length, u32 fd, u32 path, u32 path_length);
Errno path_unlink_file(Call& call, u32 fd, u32 path, u32 path_length);

// ---- poll.cpp: sleeps in one ppoll until something has happened
// --------------------------------------
Errno poll_oneoff(Call& call, u32 subscriptions, u32 events, u32 count, u32 event_count);

// ---- proc.cpp
// ------------------------------------------------------------------------------------------
engine::HostResult proc_exit(Call& call, u32 status);
/// A guest has no handlers: what a signal does to a process without, it does to the guest, which
/// then exits with the status that shells show of such a process (128 and the signal's number).
/// What would stop it is `notsup`.
using MayExit = std::variant<Errno, engine::HostResult>;
MayExit proc_raise(Call& call, u32 signal);
Errno sched_yield(Call& call);

// ---- random.cpp
// ----------------------------------------------------------------------------------------
Errno random_get(Call& call, u32 buffer, u32 length);
/// Of the module "wrun": see wasi/preview1.hpp.
Errno generation_id(Call& call, u32 buffer);

// ---- sock.cpp: for descriptors that are sockets already; nothing here makes one but accepting
// ----------
Errno sock_accept(Call& call, u32 fd, u32 fd_flags, u32 accepted);
Errno sock_recv(
    Call& call, u32 fd, u32 buffers, u32 count, u32 ri_flags, u32 transferred, u32 ro_flags);
Errno sock_send(Call& call, u32 fd, u32 buffers, u32 count, u32 si_flags, u32 transferred);
Errno sock_shutdown(Call& call, u32 fd, u32 how);

}  // namespace wrun::wasi::areas
