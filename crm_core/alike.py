"""When two texts mean the same address or number, though they are written otherwise."""


def email_key(email: str) -> str:
    """The same for an e-mail address in whatever case."""
    return email.strip().lower()


def phone_key(phone: str) -> str:
    """The same for a number however it is grouped: its digits, or the text where it has none."""
    return "".join(filter(str.isdigit, phone)) or phone.strip().lower()
