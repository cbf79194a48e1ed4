package clientconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/securefile"
)

// lockTimeout is how long a change waits for that of another process, which may wait for an
// identity provider.
const lockTimeout = 30 * time.Second

// Store is the configuration file of the user. It is safe for concurrent use, also by several
// processes.
type Store struct{ path string }

// NewStore returns the store of a file, which need not exist.
func NewStore(path string) Store { return Store{path: path} }

// UserStore returns the store of the file rtmanager/config.yaml in the user's configuration
// directory. Its Path is empty for a user without a home directory.
func UserStore(lookupEnv func(string) (string, bool)) Store {
	if dir, _ := lookupEnv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return NewStore(filepath.Join(dir, "rtmanager", "config.yaml"))
	}
	if home, _ := lookupEnv("HOME"); filepath.IsAbs(home) {
		return NewStore(filepath.Join(home, ".config", "rtmanager", "config.yaml"))
	}
	return Store{}
}

// Path returns the name of the file.
func (s Store) Path() string { return s.path }

// Load returns the content of the file, and an empty File if there is no file. It fails if
// other users can read or replace the file, and for content that this version does not know:
// a change would lose it.
func (s Store) Load() (File, error) {
	if s.path == "" {
		return File{}, nil
	}
	text, err := securefile.ReadPrivate(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, nil
	}
	if err != nil {
		return File{}, fmt.Errorf("read the client configuration: %w", err)
	}
	var file File
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return File{}, fmt.Errorf("read the client configuration %s: %w; correct or remove the file", s.path, parseError(err))
	}
	for name, context := range file.Contexts {
		if err := errors.Join(ValidateName(name), context.Validate()); err != nil {
			return File{}, fmt.Errorf("read the client configuration %s: context %q: %w", s.path, name, err)
		}
	}
	return file, nil
}

// parseError returns the error of a document without its content, which may be a secret:
// only an unknown field is named.
func parseError(err error) error {
	if text := err.Error(); bytes.Contains([]byte(text), []byte("unknown field")) {
		return errors.New(text[bytes.Index([]byte(text), []byte("unknown field")):])
	}
	return errors.New("it is not valid YAML of contexts")
}

// Update changes the file. change gets the current content, and may take as long as another
// process waits for the lock. An error of change, which is returned unchanged, leaves the file
// as it is. After a crash the file is either unchanged or complete.
func (s Store) Update(change func(*File) error) (err error) {
	if s.path == "" {
		return errors.New("there is no directory for the client configuration; set HOME or XDG_CONFIG_HOME")
	}
	target := s.path
	if resolved, err := filepath.EvalSymlinks(s.path); err == nil {
		target = resolved // replace the file, not the link
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("write the client configuration: %w", err)
	}
	lock, err := filelock.Acquire(target+".lock", lockTimeout)
	if err != nil {
		return fmt.Errorf("write the client configuration: %w", err)
	}
	defer func() {
		if errRelease := lock.Release(); err == nil {
			err = errRelease
		}
	}()
	file, err := s.Load()
	if err != nil {
		return err
	}
	if file.Contexts == nil {
		file.Contexts = map[string]Context{}
	}
	if err := change(&file); err != nil {
		return err
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		return fmt.Errorf("encode the client configuration: %w", err)
	}
	if err := atomicfile.Write(target, text); err != nil {
		return fmt.Errorf("write the client configuration: %w", err)
	}
	return nil
}
