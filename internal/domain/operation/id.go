package operation

import (
	"crypto/rand"
	"strings"
)

// NewID returns a new operation id: "op_" and 26 random characters (128 bits).
func NewID() string { return "op_" + strings.ToLower(rand.Text()) }
