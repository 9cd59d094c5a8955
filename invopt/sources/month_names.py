"""Names of months in the languages that dates are read in."""

# The first name of each month is the short English one.
MONTHS = (
    "jan january januar januari janvier janv enero ene gennaio gen janeiro ianuarie ian",
    "feb february februar februari février févr fevrier febrero febbraio fevereiro fev februarie",
    "mar march märz maerz mär mrz mars marzo maart mrt março marco martie marts maret",
    "apr april avril avr abril abr aprile aprilie",
    "may mai mayo maggio mag mei maio maj",
    "jun june juni juin junio giugno giu junho iunie iun",
    "jul july juli juillet juil julio luglio lug julho iulie iul",
    "aug august août aout agosto ago augustus augusti agustus agt",
    "sep sept september septembre septiembre settembre set setembro septembrie",
    "oct october oktober okt octobre octubre ottobre ott outubro out octombrie",
    "nov november novembre noviembre novembro noiembrie nopember",
    "dec december dezember dez décembre déc decembre diciembre dic dicembre dezembro decembrie "
    "desember des",
)
# Polish, Czech, Turkish and Hungarian; Croatian is not, whose listopad is another month.
_EASTERN = (
    "styczeń stycznia sty styczen leden ledna ocak oca január",
    "luty lutego lut únor února şubat şub subat február",
    "marzec marca březen března mart március",
    "kwiecień kwietnia kwi kwiecien duben dubna nisan nis április",
    "maja květen května mayıs mayis május",
    "czerwiec czerwca cze červen června haziran haz június",
    "lipiec lipca lip červenec července temmuz tem július",
    "sierpień sierpnia sie sierpien srpen srpna ağustos ağu agustos augusztus",
    "wrzesień września wrz wrzesien září eylül eyl eylul szeptember",
    "październik października paź pazdziernik paz říjen října ekim eki október",
    "listopad listopada lis kasım kas kasim",
    "grudzień grudnia gru grudzien prosinec prosince aralık ara aralik",
)
_CYRILLIC = (
    "янв января январь січня", "фев февраля февраль лютого", "мар марта март березня",
    "апр апреля апрель квітня", "май мая травня", "июн июня июнь червня", "июл июля июль липня",
    "авг августа август серпня", "сен сентября сентябрь вересня", "окт октября октябрь жовтня",
    "ноя ноября ноябрь листопада", "дек декабря декабрь грудня",
)  # fmt: skip
# Arabic, Hebrew, Greek and Thai.
_OTHER_SCRIPTS = (
    "يناير جانفي ינואר ιανουάριος ιανουαρίου ιαν มกราคม",
    "فبراير فيفري פברואר φεβρουάριος φεβρουαρίου φεβ กุมภาพันธ์",
    "مارس מרץ מרס μάρτιος μαρτίου μαρ มีนาคม",
    "أبريل ابريل إبريل أفريل אפריל απρίλιος απριλίου απρ เมษายน",
    "مايو ماي מאי μάιος μαΐου μάι พฤษภาคม",
    "يونيو يونيه جوان יוני ιούνιος ιουνίου ιουν มิถุนายน",
    "يوليو يوليه جويلية יולי ιούλιος ιουλίου ιουλ กรกฎาคม",
    "أغسطس اغسطس أوت אוגוסט αύγουστος αυγούστου αυγ สิงหาคม",
    "سبتمبر ספטמבר σεπτέμβριος σεπτεμβρίου σεπ กันยายน",
    "أكتوبر اكتوبر אוקטובר οκτώβριος οκτωβρίου οκτ ตุลาคม",
    "نوفمبر נובמבר νοέμβριος νοεμβρίου νοε พฤศจิกายน",
    "ديسمبر דצמבר δεκέμβριος δεκεμβρίου δεκ ธันวาคม",
)
# Letters of names that are none of Latin or Cyrillic, as a class of a regular expression.
OTHER_LETTERS = "Ͱ-Ͽ֐-״ؠ-ۿก-๎"
# Of each name, in small letters, the short English one.
ENGLISH = {
    name: latin.split()[0]
    for latin, *others in zip(MONTHS, _EASTERN, _CYRILLIC, _OTHER_SCRIPTS, strict=True)
    for name in " ".join([latin, *others]).split()
}
# In Latin letters.
MONTH_NAMES = tuple(name for group in (*MONTHS, *_EASTERN) for name in group.split())
_NUMBER_OF = {group.split()[0]: number for number, group in enumerate(MONTHS, start=1)}


def month_number(word: str) -> int | None:
    """Return which month a word in small letters names, 1 to 12; None where it names none."""
    return _NUMBER_OF.get(ENGLISH.get(word, ""))
