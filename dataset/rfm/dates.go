package rfm

import "bytes"

// form is the family of date texts that a column holds; one column holds one family.
type form int

const (
	unknown    form = iota
	yearFirst       // 2010-12-01, 2010/12/01, 2010-12-01T08:26:00.5+01:00, 2010.12.1 8:26
	compact         // 20101201, 20101201082600, 20101201T082600, 20101201 08:26
	dayFirst        // 1/12/2010, 01-12-2010 8:26, 1.12.2010
	monthFirst      // 12/1/2010, 12/1/2010 8:26 PM
	named           // 1 Dec 2010, 01-Dec-2010 08:26, Dec 1, 2010
)

// String is what a message calls the form.
func (f form) String() string {
	return [...]string{"unknown", "year first (2010-12-31)", "compact (20101231)", "day first (31/12/2010)",
		"month first (12/31/2010)", "with the month's name (31 Dec 2010)"}[f]
}

// sight is what one text says about its column's form.
type sight struct {
	form  form // unknown where the text fits no family; dayFirst where order is not settled
	order order
}

// order is what a text with day and month as numbers says about which of them is first.
type order int

const (
	settled   order = iota // one reading
	either                 // both readings are the same day, 5/5/2010
	ambiguous              // both readings are days, 5/6/2010
)

// look tells the family of one date text.
func look(text []byte) sight {
	for _, f := range [...]form{yearFirst, compact, named} {
		if _, ok := parseDate(text, f); ok {
			return sight{form: f}
		}
	}
	a, day := parseDate(text, dayFirst)
	b, month := parseDate(text, monthFirst)
	switch {
	case day && month && a == b:
		return sight{dayFirst, either}
	case day && month:
		return sight{dayFirst, ambiguous}
	case day:
		return sight{form: dayFirst}
	case month:
		return sight{form: monthFirst}
	}
	return sight{}
}

// parseDate reads text in the given form: microseconds since 1970-01-01 UTC. A time without a zone is UTC.
func parseDate(text []byte, f form) (micros int64, ok bool) {
	s := cursor{text: bytes.TrimSpace(text)}
	var year, month, day int
	switch f {
	case yearFirst:
		year, month, day = s.separated(true)
	case dayFirst:
		day, month, year = s.separated(false)
	case monthFirst:
		month, day, year = s.separated(false)
	case compact:
		year, month, day = s.digits(4, 4), s.digits(2, 2), s.digits(2, 2)
	case named:
		year, month, day = s.withName()
	default:
		return 0, false
	}
	if s.bad || !validDay(year, month, day) {
		return 0, false
	}
	clock, ok := s.timeOfDay(f == compact)
	if !ok {
		return 0, false
	}
	return int64(daysFromCivil(year, month, day))*microsPerDay + clock, true
}

// cursor walks a text; bad is set by the first thing that does not fit, and stays.
type cursor struct {
	text []byte
	at   int
	bad  bool
}

func (s *cursor) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// skip takes c if it is next.
func (s *cursor) skip(c byte) bool {
	if s.peek() == c && s.at < len(s.text) {
		s.at++
		return true
	}
	return false
}

// digits takes from atLeast to atMost digits as a number.
func (s *cursor) digits(atLeast, atMost int) int {
	v, n := 0, 0
	for n < atMost && isDigit(s.peek()) {
		v = v*10 + int(s.peek()-'0')
		s.at++
		n++
	}
	if n < atLeast {
		s.bad = true
	}
	return v
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// separated takes three numbers with the same separator between them, one of "-", "/" and ".": the year first or
// last. The year has four digits, since of 1/2/03 nobody can say which is the year: --date-format does. No digit may
// follow: 12/1/20105 is no date.
func (s *cursor) separated(yearFirst bool) (a, b, c int) {
	year := func() int { return s.digits(4, 4) }
	small := func() int { return s.digits(1, 2) }
	first, last := small, year
	if yearFirst {
		first, last = year, small
	}
	a = first()
	separator := s.peek()
	if separator != '-' && separator != '/' && separator != '.' {
		s.bad = true
		return 0, 0, 0
	}
	s.at++
	b = small()
	if !s.skip(separator) {
		s.bad = true
	}
	c = last()
	if isDigit(s.peek()) {
		s.bad = true
	}
	return a, b, c
}

// withName takes "1 Dec 2010", "1-Dec-2010" or "Dec 1, 2010".
func (s *cursor) withName() (year, month, day int) {
	gap := func() {
		if !s.skip('-') && !s.skip('/') && !s.skip(' ') {
			s.bad = true
		}
	}
	if isDigit(s.peek()) {
		day = s.digits(1, 2)
		gap()
		month = s.monthName()
		gap()
	} else {
		month = s.monthName()
		gap()
		day = s.digits(1, 2)
		s.skip(',')
		gap()
	}
	return s.digits(4, 4), month, day
}

var monthNames = [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september",
	"october", "november", "december"}

// monthName takes an English month in full or its first three letters, in any case; 0 and bad if there is none.
func (s *cursor) monthName() int {
	start := s.at
	for c := s.peek() | 0x20; c >= 'a' && c <= 'z'; c = s.peek() | 0x20 {
		s.at++
	}
	word := bytes.ToLower(s.text[start:min(s.at, start+len("september")+1)])
	for i, name := range monthNames {
		if string(word) == name || string(word) == name[:3] {
			return i + 1
		}
	}
	s.bad = true
	return 0
}

// The years 1 to 9999, in microseconds: the first within, and the first after them.
var (
	firstYear  = int64(daysFromCivil(1, 1, 1)) * microsPerDay
	endOfYears = int64(daysFromCivil(10_000, 1, 1)) * microsPerDay
)

const (
	microsPerSecond = int64(1e6)
	microsPerMinute = 60 * microsPerSecond
	microsPerHour   = 60 * microsPerMinute
	microsPerDay    = 24 * microsPerHour
)

// timeOfDay takes what may follow a date: nothing, or "T08:26", " 8:26", " 08:26:00.123 PM", "T08:26:00+01:00".
// Compact times may lack the
// colons and the gap. The result may lie outside 0 to 24 h because of the zone.
func (s *cursor) timeOfDay(compact bool) (micros int64, ok bool) {
	if s.at == len(s.text) {
		return 0, true
	}
	joined := compact && isDigit(s.peek())
	if !joined && !s.skip('T') && !s.skip('t') && !s.spaces() {
		return 0, false
	}
	least := 1
	if compact {
		least = 2
	}
	hour := s.digits(least, 2)
	if !s.skip(':') && !compact {
		return 0, false
	}
	minute, second, fraction := s.digits(2, 2), 0, int64(0)
	if s.skip(':') || compact && isDigit(s.peek()) {
		second = s.digits(2, 2)
		if s.skip('.') || s.skip(',') {
			fraction = s.fraction()
		}
	}
	hour = s.halfDay(hour)
	offset := s.zone()
	if s.bad || s.at != len(s.text) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	micros = int64(hour)*microsPerHour + int64(minute)*microsPerMinute + int64(second)*microsPerSecond + fraction
	return micros - offset, true
}

// spaces takes one or more blanks.
func (s *cursor) spaces() bool {
	start := s.at
	for s.skip(' ') {
	}
	return s.at > start
}

// fraction takes the digits after the second's point as microseconds, cutting off what is finer.
func (s *cursor) fraction() int64 {
	if !isDigit(s.peek()) {
		s.bad = true
	}
	v, unit := int64(0), microsPerSecond/10
	for isDigit(s.peek()) {
		v += int64(s.peek()-'0') * unit
		unit /= 10
		s.at++
	}
	return v
}

// halfDay takes AM or PM if it is next, and gives the hour of the whole day.
func (s *cursor) halfDay(hour int) int {
	back := s.at
	s.spaces()
	letter := s.peek() | 0x20
	if (letter != 'a' && letter != 'p') || s.at+1 >= len(s.text) || s.text[s.at+1]|0x20 != 'm' {
		s.at = back
		return hour
	}
	s.at += 2
	return s.halfHour(hour, letter == 'p')
}

// halfHour is the hour 1 to 12 of a half day as one of 0 to 23.
func (s *cursor) halfHour(hour int, afternoon bool) int {
	if hour < 1 || hour > 12 {
		s.bad = true
	}
	hour %= 12
	if afternoon {
		hour += 12
	}
	return hour
}

// zone takes "Z", "UTC", "GMT", "+01:00", "-0530" or "+01" if one is next, and gives its offset from UTC.
func (s *cursor) zone() int64 {
	s.spaces()
	rest := s.text[s.at:]
	switch {
	case len(rest) == 0:
		return 0
	case rest[0] == 'Z' || rest[0] == 'z':
		s.at++
		return 0
	case string(rest) == "UTC" || string(rest) == "GMT":
		s.at += len(rest)
		return 0
	case rest[0] != '+' && rest[0] != '-':
		s.bad = true
		return 0
	}
	s.at++
	hours, minutes := s.digits(2, 2), 0
	if s.skip(':') || isDigit(s.peek()) {
		minutes = s.digits(2, 2)
	}
	if hours > 18 || minutes > 59 { // no zone lies further than 14 h from UTC; ISO 8601 software allows 18
		s.bad = true
	}
	offset := int64(hours)*microsPerHour + int64(minutes)*microsPerMinute
	if rest[0] == '-' {
		return -offset
	}
	return offset
}

// validDay tells whether the date is in the calendar, in the years 1 to 9999.
func validDay(year, month, day int) bool {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 {
		return false
	}
	return day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysFromCivil counts the days from 1970-01-01 in the proleptic Gregorian calendar. The year starts in March, so
// that the leap day is its last (H. Hinnant, "chrono-compatible low-level date algorithms").
func daysFromCivil(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return 365*year + year/4 - year/100 + year/400 + dayOfYear - 719468
}
