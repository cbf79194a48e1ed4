package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// pageBytes divides the size of every database of etcd. A snapshot is a database that is
// followed by its SHA-256.
const pageBytes = 512

// InvalidError reports a file that is no backup, or no longer the one that was saved.
type InvalidError struct {
	File   string
	Reason string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("backup %s cannot be used: %s; use another backup", e.File, e.Reason)
}

// checksums are those of a file.
type checksums struct {
	bytes int64
	// content is the SHA-256 of the database, and file that of the whole file.
	content, file [sha256.Size]byte
	stored        [sha256.Size]byte // that the file ends with
}

// readChecksums reads a whole file.
func readChecksums(ctx context.Context, file string) (sums checksums, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return sums, fmt.Errorf("backup: %w", err)
	}
	if !info.Mode().IsRegular() {
		return sums, &InvalidError{file, "it is not a file"}
	}
	if info.Size()%pageBytes != sha256.Size || info.Size() <= sha256.Size {
		return sums, &InvalidError{file, fmt.Sprintf("its %d bytes are not a database of etcd with a checksum: it is cut short, or no snapshot", info.Size())}
	}
	f, err := os.Open(file)
	if err != nil {
		return sums, fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	content, whole := sha256.New(), sha256.New()
	sums.bytes, err = io.Copy(io.MultiWriter(content, whole), io.LimitReader(contextReader{ctx, f}, info.Size()-sha256.Size))
	if err == nil {
		_, err = io.ReadFull(f, sums.stored[:])
	}
	if err != nil {
		return sums, fmt.Errorf("backup %s: %w", file, err)
	}
	sums.bytes += sha256.Size
	_, _ = whole.Write(sums.stored[:])
	content.Sum(sums.content[:0])
	whole.Sum(sums.file[:0])
	return sums, nil
}

// verifyFile verifies the checksum that the file ends with, and that of the manifest, which is
// nil if there is none.
func verifyFile(ctx context.Context, file string, manifest *Manifest) error {
	sums, err := readChecksums(ctx, file)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(sums.content[:], sums.stored[:]):
		return &InvalidError{file, "its content does not match its checksum: it is cut short or was changed"}
	case manifest != nil && manifest.SHA256 != hex.EncodeToString(sums.file[:]):
		return &InvalidError{file, "it is not the file that its manifest " + ManifestFile(file) + " describes: one of them was changed"}
	}
	return nil
}

// contextReader fails when ctx has ended.
type contextReader struct {
	ctx context.Context //nolint:containedctx // of one call
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
