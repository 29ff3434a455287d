"""A message centre that speaks SMPP 3.4, for tests: `python -m smsc`.

Its protocol data units are read and written by smpp.pdu3 (of Mozes' smpp.pdu), not by pinward; the loop around them follows the
standard by hand, because the servers that can be had answer without a message_id and send no receipts. It takes one client at a time.

Its first line says where it listens. Each message that was put together from its parts is a line of its own. Commands come on
standard input, a line each: `drop` ends the connection, `refuse STATUS` answers the next submit_sm with that status, `silent` stops
answering, `enquire` asks the client whether it is there. The end of standard input ends the program.
"""

import io
import json
import socket
import sys
import threading

from smpp.pdu.gsm_types import InformationElementIdentifier
from smpp.pdu.operations import (
    BindTransceiver, BindTransceiverResp, DeliverSM, EnquireLink, EnquireLinkResp, SubmitSM, SubmitSMResp,
    Unbind, UnbindResp,
)
from smpp.pdu.pdu_encoding import PDUEncoder
from smpp.pdu.pdu_types import (
    AddrNpi, AddrTon, CommandStatus, DataCoding, DataCodingDefault, EsmClass, EsmClassMode, EsmClassType,
    MessageState, PriorityFlag, RegisteredDelivery, RegisteredDeliveryReceipt, ReplaceIfPresentFlag,
)
from smpp.pdu.sm_encoding import SMStringEncoder

SYSTEM_ID, PASSWORD = b"pinward", b"secret08"
#: A number that ends so is never reached.
UNREACHABLE = b"99"


OUTPUT = threading.Lock()


def say(**what):
    with OUTPUT:
        print(json.dumps(what), flush=True)


class Centre:
    def __init__(self):
        self.lock = threading.Lock()
        self.stream = None
        self.refuse = None
        self.silent = False
        self.bound = False
        self.messages = 0
        self.sequence = 0
        self.parts = {}

    def command(self, line):
        words = line.split()
        if words[0] in ("drop", "enquire"):
            # Said first: what comes of it may be there before this thread goes on.
            say(command=words[0])
        if words[0] == "drop":
            self.silent = False
            with self.lock:
                if self.stream:
                    self.stream.shutdown(socket.SHUT_RDWR)
            return
        elif words[0] == "refuse":
            self.refuse = CommandStatus[words[1]]
        elif words[0] == "silent":
            self.silent = True
        elif words[0] == "enquire":
            self.send(EnquireLink(self.next()))
            return
        say(command=words[0])

    def next(self):
        self.sequence += 1
        return self.sequence

    def send(self, pdu):
        with self.lock:
            if self.stream and not self.silent:
                self.stream.sendall(PDUEncoder().encode(pdu))

    def serve(self, listener):
        while True:
            stream, _ = listener.accept()
            with self.lock:
                self.stream, self.bound = stream, False
            try:
                while (pdu := self.read(stream)) is not None:
                    self.take(pdu)
            except OSError:
                pass
            with self.lock:
                self.stream = None
            stream.close()
            say(event="closed")

    @staticmethod
    def read(stream):
        def exactly(length):
            data = b""
            while len(data) < length:
                more = stream.recv(length - len(data))
                if not more:
                    return None
                data += more
            return data

        header = exactly(4)
        if header is None:
            return None
        rest = exactly(int.from_bytes(header, "big") - 4)
        return None if rest is None else PDUEncoder().decode(io.BytesIO(header + rest))

    def take(self, pdu):
        number = pdu.seqNum if hasattr(pdu, "seqNum") else pdu.sequence_number
        if isinstance(pdu, BindTransceiver):
            right = pdu.params["system_id"] == SYSTEM_ID and pdu.params["password"] == PASSWORD
            self.bound = right
            status = CommandStatus.ESME_ROK if right else CommandStatus.ESME_RINVPASWD
            self.send(BindTransceiverResp(number, status, system_id=b"smsc"))
            say(event="bound" if right else "refused", version=pdu.params["interface_version"])
        elif isinstance(pdu, SubmitSM):
            self.submitted(pdu, number)
        elif isinstance(pdu, EnquireLink):
            self.send(EnquireLinkResp(number))
            say(event="enquired")
        elif isinstance(pdu, EnquireLinkResp):
            say(event="is-there")
        elif isinstance(pdu, Unbind):
            self.send(UnbindResp(number))
            say(event="unbound")

    def submitted(self, pdu, number):
        if not self.bound:
            self.send(SubmitSMResp(number, CommandStatus.ESME_RINVBNDSTS))
            return
        if self.refuse is not None:
            status, self.refuse = self.refuse, None
            self.send(SubmitSMResp(number, status))
            return
        self.messages += 1
        message_id = b"m-%d" % self.messages
        self.send(SubmitSMResp(number, CommandStatus.ESME_ROK, message_id=message_id))
        decoded = SMStringEncoder().decodeSM(pdu)
        texts = [decoded.unicode]
        to = pdu.params["destination_addr"]
        for element in decoded.udh or []:
            if element.identifier == InformationElementIdentifier.CONCATENATED_SM_8BIT_REF_NUM:
                said = element.data
                parts = self.parts.setdefault((to, said.referenceNum), {})
                parts[said.sequenceNum] = decoded.unicode
                if len(parts) < said.maximumNum:
                    return
                texts = [parts[place] for place in sorted(parts)]
                del self.parts[(to, said.referenceNum)]
        say(
            to=to.decode(), source=pdu.params["source_addr"].decode(), text="".join(texts), parts=len(texts),
            coding=pdu.params["data_coding"].schemeData.name, id=message_id.decode(),
        )
        self.receipt(pdu, message_id, to)

    def receipt(self, pdu, message_id, to):
        reached = not to.endswith(UNREACHABLE)
        word = b"DELIVRD" if reached else b"UNDELIV"
        text = b"id:%s sub:001 dlvrd:001 submit date:2611230900 done date:2611230901 stat:%s err:000 text:" % (message_id, word)
        self.send(DeliverSM(
            self.next(),
            service_type=b"",
            source_addr_ton=AddrTon.INTERNATIONAL, source_addr_npi=AddrNpi.ISDN, source_addr=to,
            dest_addr_ton=AddrTon.INTERNATIONAL, dest_addr_npi=AddrNpi.ISDN, destination_addr=pdu.params["source_addr"],
            esm_class=EsmClass(EsmClassMode.DEFAULT, EsmClassType.SMSC_DELIVERY_RECEIPT),
            protocol_id=0, priority_flag=PriorityFlag.LEVEL_0,
            registered_delivery=RegisteredDelivery(RegisteredDeliveryReceipt.NO_SMSC_DELIVERY_RECEIPT_REQUESTED),
            replace_if_present_flag=ReplaceIfPresentFlag.DO_NOT_REPLACE,
            data_coding=DataCoding(schemeData=DataCodingDefault.SMSC_DEFAULT_ALPHABET),
            short_message=text,
            receipted_message_id=message_id,
            message_state=MessageState.DELIVERED if reached else MessageState.UNDELIVERABLE,
        ))


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    centre = Centre()
    threading.Thread(target=centre.serve, args=(listener,), daemon=True).start()
    say(port=listener.getsockname()[1], system_id=SYSTEM_ID.decode(), password=PASSWORD.decode())
    for line in sys.stdin:
        if line.strip():
            centre.command(line)


if __name__ == "__main__":
    main()
