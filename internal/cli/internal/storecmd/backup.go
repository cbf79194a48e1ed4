package storecmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
)

// embeddedEndpoint is the default client address of an embedded etcd.
const embeddedEndpoint = "http://127.0.0.1:2379"

func (c commands) backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Save a verified backup of etcd to a file",
		Long: `Backup saves a snapshot of the whole etcd to a new file: records, intents, ledgers,
secrets and access rules of all its stores at one revision. Daemons continue to run. The
state directories of games are not part of it.

The file appears when the copy is complete and verified: backup starts a temporary etcd
on it and runs fsck on each store. The exit code is 1 if the copy has inconsistencies.
Next to the file it writes FILE.json, the manifest with time, revision, records and
checksum; keep both together. The default name is rtmanager-TIME.snapshot.

Without --etcd-endpoints it connects to ` + embeddedEndpoint + `, the default address of
an embedded etcd; the ready line of the daemon has the actual one, such as the socket
unix:///DIR/run/etcd.sock of a daemon with authentication. An etcd with users requires
a user with the role root. A daemon can also make backups by itself, see serve.

The temporary copy needs space in TMPDIR, twice the size of the database.`,
		Example: `  rtmanager backup
  rtmanager backup --etcd-endpoints https://10.0.0.1:2379 --certs certs
  rtmanager backup rtmanager.snapshot --etcd-endpoints unix:///var/lib/rtmanager/run/etcd.sock
  rtmanager list --at rtmanager.snapshot`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("%s takes one argument, the file to write, got %d", cmd.Name(), len(args))
			}
			return nil
		},
	}
	cluster := bindCluster(cmd.Flags())
	bindCerts(cmd.Flags(), cluster.serve)
	cmd.AddCommand(c.backupVerifyCommand())
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		c.UseNoDaemon()
		cfg, err := cluster.load()
		if err == nil {
			cfg, err = cfg.WithEtcdClientCerts()
		}
		if err != nil {
			return exit.UsageError{Err: err, See: cmd.CommandPath()}
		}
		if cfg.HasEmbeddedEtcd() {
			cfg.EtcdEndpoints = []string{embeddedEndpoint}
		}
		file := backup.DefaultName("", c.Now())
		if len(args) > 0 {
			file = args[0]
		}
		return c.backup(cmd.Context(), cfg, file)
	})
	return cmd
}

func (c commands) backup(ctx context.Context, cfg config.Config, file string) error {
	manifest, err := daemon.SaveBackup(ctx, cfg, file, c.Version, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if done, err := c.Printer().Encode(manifest); done {
		return errors.Join(err, findingsError(file, manifest))
	}
	fmt.Fprintf(c.Out, "saved %s and %s\n%s\n", render.Value(file), render.Value(filepath.Base(backup.ManifestFile(file))), describeBackup(manifest))
	return findingsError(file, manifest)
}

// describeBackup returns the result of a verification as one line.
func describeBackup(m backup.Manifest) string {
	state := "clean"
	if m.Findings() > 0 {
		state = render.Count(m.Findings(), "finding")
	}
	text := fmt.Sprintf("%s at revision %d, %s; fsck of the copy: %s", render.Count(m.Records(), "record"), m.Revision, bytesText(m.Bytes), state)
	if len(m.Stores) > 1 {
		text += fmt.Sprintf(" (%d stores)", len(m.Stores))
	}
	return text
}

// findingsError returns an error if a copy has inconsistencies.
func findingsError(file string, m backup.Manifest) error {
	if m.Findings() == 0 {
		return nil
	}
	return fmt.Errorf("the copy has %s, as its store did; `rtmanager fsck --at %s` lists them", render.Count(m.Findings(), "finding"), render.ShellWord(file))
}

func (c commands) backupVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify that a backup is complete, unchanged and consistent",
		Long: `Verify checks the checksums of a backup and of its manifest, starts a temporary etcd on
a copy, and runs fsck on each store in it. The exit code is 1 if the backup cannot be
used, and if it has inconsistencies.`,
		Example: `  rtmanager backup verify rtmanager.snapshot`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%s takes one argument, the backup, got %d", cmd.Name(), len(args))
			}
			return nil
		},
		RunE: c.RunE(func(cmd *cobra.Command, args []string) error {
			c.UseNoDaemon()
			manifest, _, err := backup.Verify(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if done, err := c.Printer().Encode(manifest); done {
				return errors.Join(err, findingsError(args[0], manifest))
			}
			fmt.Fprintf(c.Out, "%s of %s: %s\n", render.Value(args[0]), render.Time(manifest.CreatedAt), describeBackup(manifest))
			return findingsError(args[0], manifest)
		}),
	}
}

// bytesText returns a number of bytes in the unit that suits it.
func bytesText(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}
