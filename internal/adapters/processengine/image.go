package processengine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"galaxy/rtmanager/internal/domain/container"
)

// EnsureImage implements ports.Engine. It checks that the executable exists. It does not
// fetch images and never calls progress.
func (e *Engine) EnsureImage(ctx context.Context, image string, _ func(container.ImageProgress)) error {
	_, end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	f, err := e.openImage(image)
	if err != nil {
		return err
	}
	return f.Close()
}

// HasImage implements ports.Engine.
func (e *Engine) HasImage(ctx context.Context, image string) (bool, error) {
	err := e.EnsureImage(ctx, image, nil)
	if errors.Is(err, container.ErrNoImage) {
		return false, nil
	}
	return err == nil, err
}

// PullImage implements ports.Engine. There is no registry, so it is EnsureImage.
func (e *Engine) PullImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	return e.EnsureImage(ctx, image, progress)
}

// ImageDigest implements ports.Engine. It is the SHA-256 hash of the executable.
func (e *Engine) ImageDigest(ctx context.Context, image string) (string, error) {
	ctx, end, err := e.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	f, err := e.openImage(image)
	if errors.Is(err, container.ErrNoImage) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	digest, err := e.digests.of(ctx, f)
	switch {
	case ctx.Err() != nil:
		return "", unavailable(ctx)
	case err != nil:
		return "", fmt.Errorf("%w: read the image %s: %w", container.ErrEngineUnavailable, image, err)
	}
	return digest, nil
}

// imagePath returns the path of the image in the directory of images. It returns an error
// without a type if the reference is not NAME:VERSION.
func imagePath(image string) (string, error) {
	colon := strings.LastIndex(image, ":")
	if colon < 0 || strings.Contains(image[colon:], "/") {
		return "", fmt.Errorf("%q has no version; add one, as in %s:1.0.0", image, image)
	}
	path := image[:colon] + "/" + image[colon+1:]
	isInvalid := func(part string) bool { return part == "" || part == "." || part == ".." }
	if slices.ContainsFunc(strings.Split(path, "/"), isInvalid) || !filepath.IsLocal(path) {
		return "", fmt.Errorf("%q is not NAME:VERSION, such as gameserver:1.0.0", image)
	}
	return path, nil
}

// openImage opens the executable of the image. All its errors are container.ErrNoImage.
func (e *Engine) openImage(image string) (*os.File, error) {
	path, err := imagePath(image)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", container.ErrNoImage, err)
	}
	noImage := func(reason any) error {
		return fmt.Errorf("%w: %s: put the executable at %s (%v)", container.ErrNoImage, image, filepath.Join(e.cfg.ImagesDir, path), reason)
	}
	info, err := e.images.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, noImage("there is no such file")
	case err != nil:
		return nil, noImage(withoutSystemCall(err))
	case !info.Mode().IsRegular():
		return nil, noImage("it is not a file")
	case info.Mode().Perm()&0o111 == 0:
		return nil, noImage("it is not executable; set its execute permission")
	}
	f, err := e.images.Open(path)
	if err != nil {
		return nil, noImage(withoutSystemCall(err))
	}
	return f, nil
}

// withoutSystemCall returns the reason of an error of a file, without the system call and
// the path.
func withoutSystemCall(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// pinImage creates the executable of a container at target, so that the container keeps it
// when the image is replaced. It creates a hard link, or a copy if a link is not possible,
// for example on another file system.
func (e *Engine) pinImage(ctx context.Context, image, target string) error {
	f, err := e.openImage(image)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if tryLink(f, target) {
		return nil
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = f.Close() })() // cancels the copy
	_, err = io.Copy(out, f)
	err = errors.Join(err, out.Sync(), out.Close())
	// A forked child has the copy open for writing until it executes its program, and a file
	// that is open for writing cannot be executed: see golang/go#22315. The lock waits for
	// such children.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return err
}

// tryLink creates a hard link to the open file, and reports whether target is that file.
func tryLink(f *os.File, target string) bool {
	if err := os.Link(f.Name(), target); err != nil {
		return false
	}
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	linked, err := os.Lstat(target)
	return err == nil && os.SameFile(opened, linked)
}
