package securitycheck

import (
	"os"

	"galaxy/rtmanager/internal/securefile"
)

// checkSecrets finds missing or open keys of secrets.
func (c *checker) checkSecrets() {
	c.addIf(!c.cfg.HasSecretKeys(), "--secrets-key-file",
		"there are no keys for secrets, so that passwords of games can only be stored as plain environment values; create keys with rtmanager secret generate-key")
	c.checkSecretFile("--secrets-key-file", c.cfg.SecretsKeyFile)
}

// checkAudit finds a daemon that does not record what its callers do.
func (c *checker) checkAudit() {
	c.addIf(!c.cfg.HasAudit(), "--audit-file", "changes, denied requests and reads of secrets are not recorded; set it to a file below a directory of the daemon's user")
	if c.cfg.AuditFile == "" {
		return
	}
	info, err := os.Stat(c.cfg.AuditFile)
	if err != nil {
		return // the daemon creates it
	}
	mode := info.Mode().Perm()
	c.addIf(mode&0o027 != 0, "--audit-file", "mode %04o of %s lets other users access the audit log; run chmod 600 %s", mode, c.cfg.AuditFile, c.cfg.AuditFile)
}

// checkSecretFile finds a file with a secret that other users can access.
func (c *checker) checkSecretFile(setting, file string) {
	if file == "" {
		return
	}
	_, err := securefile.ReadSecret(file)
	c.addIf(err != nil, setting, "%v", err)
}

// checkDataDir finds a data directory that other users can access. It need not exist.
func (c *checker) checkDataDir() {
	if c.cfg.DataDir == "" {
		return
	}
	info, err := os.Stat(c.cfg.DataDir)
	if err != nil {
		return
	}
	mode := info.Mode().Perm()
	c.addIf(mode&0o077 != 0, "--data-dir", "mode %04o of %s lets other users access it; run chmod 700 %s", mode, c.cfg.DataDir, c.cfg.DataDir)
}
