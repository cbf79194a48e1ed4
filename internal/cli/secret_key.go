package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/securefile"
)

func (a *app) generateKeyCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "generate-key",
		Short: "Generate a key that protects secrets",
		Long: `Generate-key generates a random key for "serve --secrets-key-file". It needs no daemon.

With --file it writes the key to a file that only you can read. An existing file keeps its
keys after the new one, which is then the newest. Without --file it prints one line of such
a file, for a key service that "serve --secrets-key-command" reads.

All daemons of a store need the same keys. Keep a copy apart from the backups: without the
key a backup of secrets is worthless.`,
		Example: `  rtmanager secret generate-key --file /etc/rtmanager/secrets-keys
  rtmanager serve --secrets-key-file /etc/rtmanager/secrets-keys`,
		Args: requireNoArguments,
	}
	cmd.Flags().StringVar(&file, "file", "", "`FILE` to write the key to, before the keys that it has")
	cmd.RunE = a.runE(func(*cobra.Command, []string) error {
		a.usesNoDaemon = true
		key := envelope.GenerateKey(a.streams.Now())
		if file == "" {
			_, err := fmt.Fprint(a.streams.Out, key)
			return err
		}
		keyring, err := prependKey(file, key)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.streams.Out, "wrote key %s to %s\n", keyring.NewestID(), file)
		return err
	})
	return cmd
}

// prependKey writes the key to the file, before the keys that it has, and returns all keys. It
// does not change a file that has no valid keys or that other users can read.
func prependKey(file, key string) (*envelope.Keyring, error) {
	text, err := securefile.ReadSecret(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = nil
	case err != nil:
		return nil, err
	default:
		if _, err := envelope.ParseKeyring(text); err != nil {
			return nil, fmt.Errorf("%s: %w; it is not changed", file, err)
		}
	}
	content := append([]byte(key), text...)
	keyring, err := envelope.ParseKeyring(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it is not changed", file, err)
	}
	if text == nil {
		return keyring, createFile(file, content)
	}
	return keyring, atomicfile.Write(file, content)
}

// createFile creates a file for this user only. It fails if the file exists.
func createFile(file string, content []byte) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
