package keysource

import (
	"context"

	"galaxy/rtmanager/internal/securefile"
)

// File is the source of a private file; see securefile.ReadSecret for its mode and owner.
type File struct{ Path string }

// Load returns the present content of the file.
func (f File) Load(context.Context) ([]byte, error) { return securefile.ReadSecret(f.Path) }
