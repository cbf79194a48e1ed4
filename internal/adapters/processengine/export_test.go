package processengine

// ShortenLogs shortens the logs now, as the engine does once a minute.
func (e *Engine) ShortenLogs() { e.shortenLogs() }
