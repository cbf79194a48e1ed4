package embeddedetcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"galaxy/rtmanager/internal/diskspace"
)

const (
	diskCheckInterval = time.Second
	// ballastBytes is the size of the ballast file: a start on a full disk needs space for
	// one log file and for small files.
	ballastBytes = segmentBytes + 8<<20
	// firstStartBytes is the free space that a first start needs: two log files and the
	// first pages of the database, which etcd allocates in steps of 16 MiB.
	firstStartBytes = 2*segmentBytes + 16<<20 + minReserveBytes
	// minReserveBytes is the least reserve: etcd allocates a log file when it begins the
	// one before.
	minReserveBytes = segmentBytes + 4<<20
	// maxReserveShare is the share of a small file system that the default reserve takes.
	maxReserveShare = 10
)

// DiskFullError reports that the file system of the data directory has less free space than
// the reserve, so that the member accepts no writes.
type DiskFullError struct {
	Dir string
	// FreeBytes is the free space, and NeededBytes the space at which writes are accepted.
	FreeBytes, NeededBytes uint64
}

func (e *DiskFullError) Error() string {
	return fmt.Sprintf("the disk of data directory %s is full: %d MiB are free, and writes need %d MiB", e.Dir, e.FreeBytes>>20, (e.NeededBytes+1<<20-1)>>20)
}

// errLogBroken ends a member that would fail later, while clients write.
var errLogBroken = errors.New("etcd could not allocate a log file while the disk was full, and needs a restart now that there is space")

// diskGuard makes a member read-only before its disk is full, because etcd ends the process
// when it cannot write. It also allocates space ahead: the database gets the blocks of its
// whole length, so that what etcd still writes on a full disk has space, and a ballast file
// keeps space for the next start.
type diskGuard struct {
	dir, database, ballast string
	logger                 *zap.Logger
	fatal                  *fatalLogger
	full                   atomic.Pointer[DiskFullError]

	configured uint64 // 0 for the default
	// isBallastUsed is set while the space that this start released is not free.
	// Until then it is not there for writes.
	isBallastUsed bool
	allocated     int64 // length of the database whose blocks have been allocated
}

func newDiskGuard(data dataDir, cfg Config, fatal *fatalLogger) *diskGuard {
	return &diskGuard{
		dir: data.path, ballast: data.ballastFile(), database: filepath.Join(data.etcdDir(), "member", "snap", "db"),
		logger: cfg.Logger, configured: uint64(cfg.DiskReserveBytes), fatal: fatal,
		isBallastUsed: data.isBallastReleased,
	}
}

// run checks the disk until ctx ends.
func (g *diskGuard) run(ctx context.Context) {
	ticker := time.NewTicker(diskCheckInterval)
	defer ticker.Stop()
	for {
		g.check()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// check updates the state of the member. It becomes writable only well above the
// reserve, so that the state does not change with every write.
func (g *diskGuard) check() {
	usage, err := diskspace.Of(g.dir)
	if err != nil {
		return // the next check repeats it; etcd reports a disk that has disappeared
	}
	reserve := g.reserve(usage)
	previous := g.full.Load()
	needed := reserve
	if previous != nil {
		needed += reserve / 4
	}
	if g.isBallastUsed {
		needed += ballastBytes
	}
	if usage.Free < needed {
		full := &DiskFullError{Dir: g.dir, FreeBytes: usage.Free, NeededBytes: max(needed, reserve+reserve/4)}
		g.full.Store(full)
		if previous == nil {
			g.logger.Warn("the disk is full: the store is read-only until there is space", zap.Error(full))
		}
		return
	}
	if g.fatal.isLogBroken.Load() {
		g.fatal.fail(errLogBroken)
		return
	}
	g.isBallastUsed = false
	if previous != nil {
		g.full.Store(nil)
		g.logger.Warn("the disk has space: the store accepts writes", zap.Uint64("free_bytes", usage.Free))
	}
	g.allocate(usage, reserve)
}

// reserve returns the free space below which the member is read-only.
func (g *diskGuard) reserve(usage diskspace.Usage) uint64 {
	reserve := g.configured
	if reserve == 0 {
		reserve = min(defaultReserveBytes, usage.Total/maxReserveShare)
	}
	return max(reserve, minReserveBytes)
}

// allocate allocates space ahead, as far as the reserve stays free. Without it the member
// works as well, but is less likely to survive a full disk.
func (g *diskGuard) allocate(usage diskspace.Usage, reserve uint64) {
	if info, err := os.Stat(g.database); err == nil && info.Size() != g.allocated {
		if err := allocateFile(g.database, info.Size()); err == nil {
			g.allocated = info.Size()
		}
		return // the ballast follows in the next check, with the usage after this
	}
	if _, err := os.Stat(g.ballast); errors.Is(err, os.ErrNotExist) && usage.Free >= reserve+2*ballastBytes {
		if err := allocateFile(g.ballast, ballastBytes); err != nil {
			_ = os.Remove(g.ballast)
		}
	}
}

// allocateFile creates the file if necessary and allocates its first size bytes.
func allocateFile(path string, size int64) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(diskspace.Allocate(file, size), file.Close())
}

// releaseBallast removes the ballast file if the disk has less space than its size, so
// that etcd can start on a full disk. It reports whether it has removed it.
func (d dataDir) releaseBallast() bool {
	usage, err := diskspace.Of(d.path)
	return err == nil && usage.Free < ballastBytes && os.Remove(d.ballastFile()) == nil
}

// restoreBallast creates the ballast file if it is missing. When etcd closes it frees the
// log file that it allocated ahead, and its next start needs that space.
func (d dataDir) restoreBallast() {
	if _, err := os.Stat(d.ballastFile()); !errors.Is(err, os.ErrNotExist) {
		return
	}
	for _, size := range []int64{ballastBytes, segmentBytes} {
		if allocateFile(d.ballastFile(), size) == nil {
			return
		}
	}
	_ = os.Remove(d.ballastFile()) // the disk is too small or too full
}

// requireSpace returns a *ConfigError if a first start would fill the disk. etcd would
// leave a part of its files.
func (d dataDir) requireSpace() error {
	if d.cluster.Bootstrapped {
		return nil
	}
	usage, err := diskspace.Of(d.path)
	if err != nil || usage.Free >= firstStartBytes {
		return nil //nolint:nilerr // etcd reports a disk that does not work
	}
	return dataDirError("data directory %s: its disk has %d MiB free, and a first start needs %d MiB; free some space", d.path, usage.Free>>20, firstStartBytes>>20)
}
