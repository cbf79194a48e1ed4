package operator

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"galaxy/rtmanager/internal/wait"
)

// SlowDisk is a file system on top of a directory, whose syncs can be slow or fail, and whose writes can
// hang. This process serves it by FUSE, so the files of a test must be used by other processes. It is safe
// for concurrent use.
type SlowDisk struct {
	server *fuse.Server

	mu        sync.Mutex
	syncDelay time.Duration
	syncError syscall.Errno
	hanging   chan struct{} // closed when writes continue; nil if they do not hang
}

// MountSlowDisk mounts a disk on an empty directory. Its files are in the other directory. It fails without
// the permission to mount, or without FUSE. The caller unmounts it.
func MountSlowDisk(dir, files string) (*SlowDisk, error) {
	loopback, err := fs.NewLoopbackRoot(files)
	if err != nil {
		return nil, fmt.Errorf("mount a slow disk on %s: %w", dir, err)
	}
	root, _ := loopback.(*fs.LoopbackNode)
	d := &SlowDisk{}
	noCache := time.Duration(0)
	d.server, err = fs.Mount(dir, &diskNode{root, d}, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "slowdisk", DisableXAttrs: true}, EntryTimeout: &noCache, AttrTimeout: &noCache,
	})
	if err != nil {
		return nil, fmt.Errorf("mount a slow disk on %s: %w", dir, err)
	}
	return d, nil
}

// Unmount releases the processes that wait for the disk, and unmounts it. The files remain.
func (d *SlowDisk) Unmount() error {
	d.Repair()
	return d.server.Unmount()
}

// SetSyncDelay sets how long a sync of a file takes at least.
func (d *SlowDisk) SetSyncDelay(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncDelay = delay
}

// FailSyncs lets syncs fail with an I/O error.
func (d *SlowDisk) FailSyncs() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncError = syscall.EIO
}

// Hang lets all writes and syncs wait until Repair.
func (d *SlowDisk) Hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hanging == nil {
		d.hanging = make(chan struct{})
	}
}

// Repair ends what the other methods have started.
func (d *SlowDisk) Repair() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncDelay, d.syncError = 0, 0
	if d.hanging != nil {
		close(d.hanging)
		d.hanging = nil
	}
}

// state returns how syncs are, and what ends a hang, nil for none.
func (d *SlowDisk) state() (delay time.Duration, syncError syscall.Errno, hanging <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncDelay, d.syncError, d.hanging
}

// awaitWrite waits while writes hang. A process that is killed does not wait.
func (d *SlowDisk) awaitWrite(ctx context.Context) syscall.Errno {
	if _, _, hanging := d.state(); hanging != nil {
		select {
		case <-hanging:
		case <-ctx.Done():
			return syscall.EINTR
		}
	}
	return fs.OK
}

// awaitSync waits for the time of a sync.
func (d *SlowDisk) awaitSync(ctx context.Context) syscall.Errno {
	if errno := d.awaitWrite(ctx); errno != fs.OK {
		return errno
	}
	delay, syncError, _ := d.state()
	if delay > 0 && wait.For(ctx, delay) != nil {
		return syscall.EINTR
	}
	return syncError
}

// diskNode is a file or directory of the disk.
type diskNode struct {
	*fs.LoopbackNode

	disk *SlowDisk
}

// WrapChild implements fs.NodeWrapChilder.
func (n *diskNode) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	if child, isNode := ops.(*fs.LoopbackNode); isNode {
		return &diskNode{child, n.disk}
	}
	return ops
}

// Open implements fs.NodeOpener.
func (n *diskNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	file, options, errno := n.LoopbackNode.Open(ctx, flags)
	return n.wrap(file), options, errno
}

// Create implements fs.NodeCreater.
func (n *diskNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.disk.awaitWrite(ctx); errno != fs.OK {
		return nil, nil, 0, errno
	}
	inode, file, options, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, n.wrap(file), options, errno
}

func (n *diskNode) wrap(file fs.FileHandle) fs.FileHandle {
	if opened, isFile := file.(*fs.LoopbackFile); isFile {
		return &diskFile{opened, n.disk}
	}
	return file
}

// diskFile is an open file of the disk.
type diskFile struct {
	*fs.LoopbackFile

	disk *SlowDisk
}

// PassthroughFd returns false: the kernel must not write to the file directly.
func (f *diskFile) PassthroughFd() (int, bool) { return 0, false }

// Write implements fs.FileWriter.
func (f *diskFile) Write(ctx context.Context, data []byte, offset int64) (uint32, syscall.Errno) {
	if errno := f.disk.awaitWrite(ctx); errno != fs.OK {
		return 0, errno
	}
	return f.LoopbackFile.Write(ctx, data, offset)
}

// Writev implements fs.FileWritever.
func (f *diskFile) Writev(ctx context.Context, data [][]byte, offset int64) (uint32, syscall.Errno) {
	if errno := f.disk.awaitWrite(ctx); errno != fs.OK {
		return 0, errno
	}
	return f.LoopbackFile.Writev(ctx, data, offset)
}

// Allocate implements fs.FileAllocater.
func (f *diskFile) Allocate(ctx context.Context, offset, size uint64, mode uint32) syscall.Errno {
	if errno := f.disk.awaitWrite(ctx); errno != fs.OK {
		return errno
	}
	return f.LoopbackFile.Allocate(ctx, offset, size, mode)
}

// Fsync implements fs.FileFsyncer. The machine does not fail during a test, so nothing is synced: only the
// delay is that of the disk.
func (f *diskFile) Fsync(ctx context.Context, _ uint32) syscall.Errno { return f.disk.awaitSync(ctx) }
