package processengine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"sync"
	"time"
)

// maxDigests bounds the cached digests.
const maxDigests = 1024

// fileVersion identifies the content of a file, as far as its metadata shows.
type fileVersion struct {
	device, inode uint64
	size          int64
	modified      time.Time
}

// digestCache keeps the hashes of files, since many containers are created from one image.
// The zero value is empty. It is safe for concurrent use.
type digestCache struct {
	mu     sync.Mutex
	byFile map[fileVersion]string
}

// of returns the hash of the content of the open file, as sha256:HEX.
func (d *digestCache) of(ctx context.Context, f *os.File) (string, error) {
	version, err := versionOf(f)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	digest, found := d.byFile[version]
	d.mu.Unlock()
	if found {
		return digest, nil
	}
	hash := sha256.New()
	defer context.AfterFunc(ctx, func() { _ = f.Close() })() // cancels the copy
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	digest = "sha256:" + hex.EncodeToString(hash.Sum(nil))
	// A file that was written while it was read may have another hash at the same version.
	if time.Since(version.modified) < time.Second {
		return digest, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byFile == nil || len(d.byFile) >= maxDigests {
		d.byFile = map[fileVersion]string{}
	}
	d.byFile[version] = digest
	return digest, nil
}

func versionOf(f *os.File) (fileVersion, error) {
	info, err := f.Stat()
	if err != nil {
		return fileVersion{}, err
	}
	device, inode := fileID(info)
	return fileVersion{device, inode, info.Size(), info.ModTime()}, nil
}
