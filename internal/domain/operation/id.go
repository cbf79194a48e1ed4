package operation

import (
	"crypto/rand"
	"strings"
)

// NewID returns a new operation ID: "op_" and 26 random characters (128 bits).
func NewID() string { return "op_" + strings.ToLower(rand.Text()) }
