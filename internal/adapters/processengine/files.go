package processengine

import (
	"errors"
	"io/fs"
	"os"
)

// deleteFiles deletes files that need not be there.
func deleteFiles(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
