package embeddedetcd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
)

// maxSocketPath is the longest path of a unix socket on every system.
const maxSocketPath = 103

// validateSocket returns a *ConfigError unless the URL names a socket that every system accepts.
func (l listenSetting) validateSocket(u *url.URL) error {
	switch {
	case u.Host != "" || !filepath.IsAbs(u.Path):
		return l.invalid("needs an absolute path, as in unix:///run/etcd.sock")
	case len(u.Path) > maxSocketPath:
		return l.invalid(fmt.Sprintf("has a path of %d bytes; a socket can have %d", len(u.Path), maxSocketPath))
	}
	return nil
}

// prepareSocket creates the directory of a unix socket. It returns a *ConfigError for a path that
// is not free: etcd replaces any file there, which is safe only for a socket without a listener.
func (l listenSetting) prepareSocket(ctx context.Context) error {
	path := l.parsedURL().Path
	fail := func(err error) error {
		return &ConfigError{Field: l.field, Err: fmt.Errorf("etcd cannot listen on %s: %w", path, err)}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail(err)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fail(err)
	case info.Mode().Type() != fs.ModeSocket:
		return fail(errors.New("the file is not a socket"))
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		return fail(errors.Join(errors.New("another process listens there"), conn.Close()))
	}
	return nil
}

// protectSocket restricts the socket to this user: its directory may be open to others.
func (l listenSetting) protectSocket() error {
	if u := l.parsedURL(); u.Scheme == "unix" {
		return os.Chmod(u.Path, 0o600)
	}
	return nil
}

// protectSockets restricts the sockets of a member to this user.
func protectSockets(cfg Config) error {
	var faults []error
	for _, setting := range cfg.listenSettings() {
		faults = append(faults, setting.protectSocket())
	}
	return errors.Join(faults...)
}
