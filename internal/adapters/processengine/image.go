package processengine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"galaxy/rtmanager/internal/domain/container"
)

// EnsureImage looks whether the executable is there. There is nowhere to fetch
// one from, so nothing is reported to progress.
func (e *Engine) EnsureImage(ctx context.Context, image string, _ func(container.ImageProgress)) error {
	_, done, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	f, err := e.openImage(image)
	if err != nil {
		return err
	}
	return f.Close()
}

// imagePath returns the path of the image below the directory of images.
func imagePath(image string) (string, error) {
	colon := strings.LastIndex(image, ":")
	if colon < 0 || strings.Contains(image[colon:], "/") {
		return "", fmt.Errorf("%w: %q has no version; name one, as in %s:1.0.0", container.ErrNoImage, image, image)
	}
	path := image[:colon] + "/" + image[colon+1:]
	bad := func(part string) bool { return part == "" || part == "." || part == ".." }
	if slices.ContainsFunc(strings.Split(path, "/"), bad) || !filepath.IsLocal(path) {
		return "", fmt.Errorf("%w: %q is not NAME:VERSION, such as gameserver:1.0.0", container.ErrNoImage, image)
	}
	return path, nil
}

// openImage opens the executable of the image; every error is runtime.ErrNoImage.
func (e *Engine) openImage(image string) (*os.File, error) {
	path, err := imagePath(image)
	if err != nil {
		return nil, err
	}
	refuse := func(reason any) error {
		return fmt.Errorf("%w: %s: put the executable at %s (%v)", container.ErrNoImage, image, filepath.Join(e.cfg.ImagesDir, path), reason)
	}
	info, err := e.images.Stat(path)
	switch {
	case err != nil:
		return nil, refuse(err)
	case !info.Mode().IsRegular():
		return nil, refuse("what is there is no file")
	case info.Mode().Perm()&0o111 == 0:
		return nil, refuse("what is there is not executable; chmod +x it")
	}
	f, err := e.images.Open(path)
	if err != nil {
		return nil, refuse(err)
	}
	return f, nil
}

// pinImage puts the executable at the path, so that the container keeps the one
// that it was made of. A second name for the same file costs nothing; where that
// cannot be, on another filesystem say, it is copied.
func (e *Engine) pinImage(ctx context.Context, image, target string) error {
	f, err := e.openImage(image)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if linked(f, target) {
		return nil
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = f.Close() })() // ends the copying
	_, err = io.Copy(out, f)
	err = errors.Join(err, out.Sync(), out.Close())
	// A child of ours may have the copy open for writing until it executes, and
	// nothing that is open for writing can be executed: see golang/go#22315.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return err
}

// linked reports whether the target is now another name of the very file.
func linked(f *os.File, target string) bool {
	if err := os.Link(f.Name(), target); err != nil {
		return false
	}
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(target)
	return err == nil && os.SameFile(opened, named)
}
