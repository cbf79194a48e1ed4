//go:build !unix

package securefile

import "io/fs"

// ForeignOwner reports no foreign owner: this system has no user ids.
func ForeignOwner(fs.FileInfo) (uid int, isForeign bool) { return 0, false }
