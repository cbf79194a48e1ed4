package processengine

import "time"

// recordRestart records that the latest run ended before this engine opened, under an
// earlier one. startBoot is the boot of its start, empty if unknown.
func (c *processContainer) recordRestart(openedAt time.Time, startBoot string) {
	boot := bootID()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restartedAt, c.isOtherBoot = &openedAt, startBoot != "" && boot != "" && startBoot != boot
}

// engineRestartedAt returns when the engine opened if the engine or the machine may have
// ended the latest run: the machine has rebooted, or no parent script recorded the exit. It
// returns nil for a run whose end this engine observed. mu must be held.
func (c *processContainer) engineRestartedAt() *time.Time {
	if c.restartedAt == nil || !c.isOtherBoot && c.lastRun.exitCode != nil {
		return nil
	}
	return clone(c.restartedAt)
}
