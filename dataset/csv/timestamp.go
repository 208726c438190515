package csv

import "bytes"

// parseTime reads an ISO 8601 date or timestamp, YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]][zone]] with the zone as Z,
// ±HH, ±HHMM or ±HH:MM, into microseconds since 1970-01-01 UTC. Without a zone it is UTC. Digits beyond
// microseconds are dropped. Written out here because time.Parse allocates and needs a layout for each form.
func parseTime(cell []byte) (micros int64, ok bool) {
	c := cursor{b: bytes.TrimSpace(cell), ok: true}
	year := c.number(4)
	c.expect('-')
	month := c.number(2)
	c.expect('-')
	day := c.number(2)
	if !c.ok || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	micros = daysSinceEpoch(year, month, day) * 86400e6
	if len(c.b) == 0 {
		return micros, true
	}
	if c.b[0] != 'T' && c.b[0] != 't' && c.b[0] != ' ' {
		return 0, false
	}
	c.b = c.b[1:]
	hour := c.number(2)
	c.expect(':')
	minute := c.number(2)
	var second, fraction int64
	if c.skip(':') {
		second = c.number(2)
		if c.skip('.') || c.skip(',') {
			fraction = c.fraction()
		}
	}
	offset := c.zone()
	if !c.ok || len(c.b) != 0 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	return micros + (hour*3600+minute*60+second-offset*60)*1e6 + fraction, true
}

// cursor eats the front of a text; ok turns false at the first thing that does not fit.
type cursor struct {
	b  []byte
	ok bool
}

func (c *cursor) number(digits int) int64 {
	if !c.ok || len(c.b) < digits {
		c.ok = false
		return 0
	}
	var v int64
	for _, d := range c.b[:digits] {
		if d-'0' > 9 {
			c.ok = false
			return 0
		}
		v = v*10 + int64(d-'0')
	}
	c.b = c.b[digits:]
	return v
}

func (c *cursor) skip(b byte) bool {
	if c.ok && len(c.b) > 0 && c.b[0] == b {
		c.b = c.b[1:]
		return true
	}
	return false
}

func (c *cursor) expect(b byte) {
	if !c.skip(b) {
		c.ok = false
	}
}

// fraction reads the digits after the point as microseconds.
func (c *cursor) fraction() int64 {
	var v, n int64
	for len(c.b) > 0 && c.b[0]-'0' <= 9 {
		if n < 6 {
			v = v*10 + int64(c.b[0]-'0')
		}
		n++
		c.b = c.b[1:]
	}
	if n == 0 {
		c.ok = false
	}
	for ; n < 6; n++ {
		v *= 10
	}
	return v
}

// zone reads the rest as an offset from UTC in minutes.
func (c *cursor) zone() int64 {
	c.b = bytes.TrimSpace(c.b)
	if len(c.b) == 0 || c.skip('Z') || c.skip('z') {
		return 0
	}
	sign := int64(1)
	if c.skip('-') {
		sign = -1
	} else {
		c.expect('+')
	}
	hours := c.number(2)
	var minutes int64
	if c.skip(':') || len(c.b) > 0 {
		minutes = c.number(2)
	}
	if hours > 23 || minutes > 59 {
		c.ok = false
	}
	return sign * (hours*60 + minutes)
}

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts days in the proleptic Gregorian calendar (H. Hinnant, chrono-compatible low-level date
// algorithms): the year begins in March, so that the leap day is its last. Years are 0 to 9999.
func daysSinceEpoch(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	year += 400 // keep the division below away from negative years
	era := year / 400
	yearOfEra := year % 400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return (era-1)*146097 + dayOfEra - 719468
}
