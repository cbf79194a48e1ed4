package config

import (
	"errors"

	"github.com/spf13/pflag"
)

// Secrets is the part of Config for the key-encryption keys of secrets. Without keys the
// daemon neither reads nor writes the values of secrets. All daemons of a store need the same
// keys.
type Secrets struct {
	// SecretsKeyFile is a file with keys, newest first, which no other user may read. It is
	// read a second time by a rotation, and when a secret needs a key that is not known.
	SecretsKeyFile string
	// SecretsKeyCommand is a command of the shell whose output has the same content. It may
	// take 10 s. It is run as often as the file is read.
	SecretsKeyCommand string
}

// HasSecretKeys reports whether the daemon has keys for secrets.
func (s Secrets) HasSecretKeys() bool { return s.SecretsKeyFile+s.SecretsKeyCommand != "" }

func (s *Secrets) bindSecrets(f *pflag.FlagSet) {
	f.StringVar(&s.SecretsKeyFile, "secrets-key-file", s.SecretsKeyFile, "`FILE` with the keys that encrypt secrets, newest first; see rtmanager secret generate-key")
	f.StringVar(&s.SecretsKeyCommand, "secrets-key-command", s.SecretsKeyCommand, "`COMMAND` that writes these keys to its standard output, in place of a file")
}

func (s Secrets) validateSecrets() error {
	if s.SecretsKeyFile != "" && s.SecretsKeyCommand != "" {
		return errors.New("--secrets-key-file and --secrets-key-command exclude each other; set one of them")
	}
	return nil
}
