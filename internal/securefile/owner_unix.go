//go:build unix

package securefile

import (
	"io/fs"
	"os"
	"syscall"
)

// ForeignOwner returns the owner of a file, and whether it is neither this user nor root.
func ForeignOwner(info fs.FileInfo) (uid int, isForeign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	uid = int(stat.Uid)
	return uid, uid != 0 && uid != os.Geteuid()
}
