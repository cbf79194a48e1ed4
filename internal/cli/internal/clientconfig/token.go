package clientconfig

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"galaxy/rtmanager/internal/securefile"
)

// MaxTokenBytes bounds a token. Servers bound the size of headers similarly.
const MaxTokenBytes = 8 << 10

// ValidateToken returns an error unless the text can be a bearer token. The error does not
// have the text.
func ValidateToken(token string) error {
	isInvalid := func(c rune) bool { return c <= ' ' || c > '~' }
	switch {
	case token == "":
		return errors.New("the token is empty")
	case len(token) > MaxTokenBytes:
		return fmt.Errorf("the token has more than %d bytes", MaxTokenBytes)
	case strings.ContainsFunc(token, isInvalid):
		return errors.New("the token has a space or a character that is not ASCII")
	}
	return nil
}

// tokenCheckInterval is how long a token is used before its file is read a second time.
const tokenCheckInterval = time.Second

// TokenFile is a file with a bearer token, which is read a second time when it is used later.
// It is safe for concurrent use.
type TokenFile struct {
	name string

	mu     sync.Mutex
	token  string
	readAt time.Time
}

// NewTokenFile returns the token of a file.
func NewTokenFile(name string) *TokenFile { return &TokenFile{name: name} }

// Token returns the current token. It fails if the file cannot be read, has no token, or can
// be read by other users.
func (f *TokenFile) Token() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.token != "" && time.Since(f.readAt) < tokenCheckInterval {
		return f.token, nil
	}
	text, err := securefile.ReadSecret(f.name)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if err := ValidateToken(token); err != nil {
		return "", fmt.Errorf("read the token from %s: %w", f.name, err)
	}
	f.token, f.readAt = token, time.Now()
	return token, nil
}
